//! The order of the house, and how the server behaves on a real machine.

mod durability_copy;
mod durability_disk;
mod journal;
mod kill;
mod kill_loop;
mod purge;
mod syscalls;
mod tidy;
