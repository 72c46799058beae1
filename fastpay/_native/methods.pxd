# Methods of compiled classes as callable objects, without an attribute look-up for each.

cdef extern from *:
    """
    static PyMethodDef *definition_of(PyObject *descriptor) {
        return ((PyMethodDescrObject *)descriptor)->d_method;
    }
    """
    ctypedef struct PyMethodDef:
        pass
    PyMethodDef* definition_of(object descriptor)
    object PyCFunction_New(PyMethodDef* definition, object owner)
