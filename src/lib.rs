//! snakepit-bridge: Python machine-learning frameworks in a supervised pool of worker processes,
//! embedded in any host program. `ARCHITECTURE.md` is the map; the modules stand here in reading
//! order, and each names only those below it.

pub mod capi;

pub mod api;

pub mod operations;

pub mod runtimes;

pub mod frameworks;

pub mod tools;

pub mod sessions;

pub mod state;

pub mod transport;

pub mod shared_memory;

pub mod snakepit;

pub mod telemetry;

pub mod config;

pub mod core;
