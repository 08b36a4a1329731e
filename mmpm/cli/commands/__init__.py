"""One file a group of commands; functions here turn words into a request, call `mmpm.ops`, and print values."""
