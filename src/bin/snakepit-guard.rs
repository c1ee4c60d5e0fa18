//! The program that stands between the host and one worker process; see
//! `snakepit_bridge::snakepit::guard`.
//!
//! Started by the library, never by hand: its standard input is the socket to its host.

fn main() -> std::process::ExitCode {
    snakepit_bridge::snakepit::guard::run()
}
