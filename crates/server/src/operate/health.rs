//! `health`: what a container's health check runs, where there is no other program to ask with.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use super::load;
use crate::cli::ConfigArgs;
use crate::{say, say_error};

/// Longer than the node itself waits for its stores.
const PATIENCE: Duration = Duration::from_secs(3);
/// What is read of an answer: that of `/readyz` is a line.
const ENOUGH: u64 = 4096;

/// Asks the node of this configuration, on this host, whether it is ready.
pub fn health(args: &ConfigArgs) -> Result<ExitCode, String> {
    let address = on_this_host(load(args)?.server.management_listen);
    let answer = ask(address).map_err(|error| format!("{address}: {error}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| format!("{address}: no answer by HTTP"))?;
    if head.split_ascii_whitespace().nth(1) == Some("200") {
        say(body.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    say_error(body.trim_end());
    Ok(ExitCode::FAILURE)
}

/// Where a listener of every address is reached.
fn on_this_host(listener: SocketAddr) -> SocketAddr {
    let address = match listener.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        other => other,
    };
    SocketAddr::new(address, listener.port())
}

fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.take(ENOUGH).read_to_string(&mut answer)?;
    Ok(answer)
}
