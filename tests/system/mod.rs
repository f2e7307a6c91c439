//! The order of the house, and how the server behaves on a real machine.

mod tidy;
