//! Integration tests: a module per feature. They need the servers that `./tests/run` starts.

mod architecture;
mod servers;
mod short_lived;
mod store;
