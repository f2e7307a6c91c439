//! What programs and people outside the project rely on: the command line, the document, the README.

mod command_line;
mod derived;
mod document;
mod readme;
