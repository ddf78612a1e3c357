mod code;
mod driver;
mod enrol;
mod home_realm;
mod limits;
mod never;
mod options;
mod phone;
mod recover;
mod register;
mod shipped;
mod sign_in;

pub(crate) use driver::*;
