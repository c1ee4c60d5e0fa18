//! The SQLite store against the suite, the model, restarts, other owners and a failing file.
