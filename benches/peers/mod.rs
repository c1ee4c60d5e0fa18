//! What the product is compared with. Each peer answers the commands that the product's own program
//! answers, and does the same work.

pub mod asked;
pub mod grpc;
