//! What the product is compared with. Each peer answers the commands that the product's own
//! program answers, and does the same work.
//!
//! They must not know what the product's figures are.

pub mod asked;
pub mod grpc;
