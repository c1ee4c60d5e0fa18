//! What goes wrong in the frameworks, and how it ends: with a typed error that says what is the
//! matter, within its deadline, while the pool goes on.

mod calls;
mod packages;
mod programs;
