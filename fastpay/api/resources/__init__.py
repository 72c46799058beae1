"""Resources: a module each, with all that HTTP knows of it: params, shape, handlers, routes."""
