//! The `parlor` program: arguments, run, exit code.
fn main() {}
