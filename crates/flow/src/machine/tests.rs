mod code;
mod driver;
mod never;
mod options;
mod sign_in;

pub(crate) use driver::*;
