"""Records a running program: ``perf record`` with the tracepoints that the kernel has, made into an event stream.

``tracepoints`` says what is asked for, ``permissions`` what the kernel allows, ``session`` runs ``perf`` and the
command, ``tasks`` keeps the lines of the program and takes out everybody else's (``kept`` is what it sorts them into),
``others`` and ``overhead`` take off what others and the recording itself took, ``counters`` is what the kernel counted
meanwhile, ``implied`` what a stream says of it, and ``record`` puts them together.
"""
