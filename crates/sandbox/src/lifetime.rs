//! When a process of the sandbox ends: a signal, or the end of its parent.

use std::io::Read;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Ends at Ctrl-C, SIGTERM or, if asked, the end of standard input (the parent died); listens from now on.
pub fn listen_for_stop(stop_when_stdin_closes: bool) -> Result<impl Future<Output = ()>, std::io::Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stdin = stop_when_stdin_closes.then(watch_stdin);
    Ok(async move {
        let closed = async {
            match stdin {
                // The thread sends or drops its end only after EOF.
                Some(stdin) => drop(stdin.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = closed => {}
        }
    })
}

/// A plain thread, as a read of standard input cannot be cancelled and would keep a runtime from ending.
fn watch_stdin() -> oneshot::Receiver<()> {
    let (closed, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut buffer = [0; 256];
        while matches!(stdin.read(&mut buffer), Ok(1..)) {}
        let _ = closed.send(());
    });
    receiver
}
