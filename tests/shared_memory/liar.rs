//! A worker that does not keep to the contract.
