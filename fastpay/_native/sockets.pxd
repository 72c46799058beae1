# Sockets and epoll(7), as far as the poller uses them.

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        void* ptr
    struct epoll_event:
        unsigned int events
        epoll_data_t data
    enum:
        EPOLLIN
        EPOLLOUT
        EPOLLERR
        EPOLLHUP
        EPOLL_CTL_ADD
        EPOLL_CTL_DEL
        EPOLL_CTL_MOD
        EPOLL_CLOEXEC
    int epoll_create1(int flags)
    int epoll_ctl(int epoll, int operation, int descriptor, epoll_event* event)
    int epoll_wait(int epoll, epoll_event* events, int count, int timeout_ms)

cdef extern from "<sys/socket.h>" nogil:
    enum:
        MSG_NOSIGNAL
        SHUT_WR
    ssize_t recv(int descriptor, void* buffer, size_t length, int flags)
    ssize_t send(int descriptor, const void* data, size_t length, int flags)
    int shutdown(int descriptor, int how)
