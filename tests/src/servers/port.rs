use std::fs::OpenOptions;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

/// Below the ports the kernel hands out, above those `tests/run` gives to its servers.
const FIRST: u16 = 22_100;
const COUNT: u16 = 10_000;

/// A port that nobody listens on, and that no other test of this run was or will be given.
pub fn free_port() -> u16 {
    let folder = reservations();
    // Tests run in processes of their own: let them begin at different places.
    let start = u16::try_from(std::process::id() % u32::from(COUNT)).expect("fits");
    (0..COUNT)
        .map(|step| FIRST + (start.wrapping_mul(7) % COUNT + step) % COUNT)
        .find(|port| {
            let mine = OpenOptions::new().write(true).create_new(true).open(folder.join(port.to_string())).is_ok();
            mine && TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()
        })
        .expect("a free port")
}

/// A file here is a port that was given away. It goes with the run's folder; without one it lasts for this process.
fn reservations() -> PathBuf {
    let parent = std::env::var_os("COUNTERSIGN_TEST_FOLDER").map_or_else(
        || std::env::temp_dir().join(format!("countersign-test-ports-{}", std::process::id())),
        PathBuf::from,
    );
    let folder = parent.join("ports");
    std::fs::create_dir_all(&folder).expect("a folder for reserved ports");
    folder
}
