"""Records a running program: ``perf record`` with the tracepoints that the kernel has, made into an event stream.

``tracepoints`` says what is asked for, ``permissions`` what the kernel allows, ``session`` runs ``perf`` and the
command, ``tasks`` keeps the lines of the program and takes out everybody else's, ``overhead`` takes off what the
recording itself cost, ``counters`` is what the kernel counted meanwhile, and ``record`` puts them together.
"""
