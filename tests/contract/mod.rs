//! What programs and people outside the project rely on: the command line, the document, the README.
