//! `countersign`: see the library's `run`.

use std::process::ExitCode;

#[actix_web::main]
async fn main() -> ExitCode {
    countersign_server::run().await
}
