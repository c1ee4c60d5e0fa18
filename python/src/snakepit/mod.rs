//! The little that `shared_memory` needs of the platform's own lowest layer, under the name that it
//! has there.

pub mod os;
