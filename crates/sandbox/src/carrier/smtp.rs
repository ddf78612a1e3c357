//! The SMTP listener: connections, bytes and limits. What is said stands in [`session`].

mod session;

use super::exchange::Exchange;
use super::inbox::{Channel, Message, Status};
use super::mail::read_mail;
use crate::SandboxError;
use crate::random::sid;
use session::{Envelope, MAX_MAIL, Session, Then};
use smtp_proto::request::receiver::{DataReceiver, DummyDataReceiver, DummyLineReceiver, RequestReceiver};
use smtp_proto::{Error, Request};
use std::slice::Iter;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// RFC 5321 section 4.5.3.2.7.
const IDLE: Duration = Duration::from_mins(5);
const MAX_CONNECTIONS: usize = 64;

/// Dropping it closes the listeners and every connection.
pub struct PostOffice {
    _listeners: JoinSet<()>,
}

/// Accepts mail on all listeners from now on.
pub fn open(listeners: Vec<std::net::TcpListener>, exchange: &Arc<Exchange>) -> Result<PostOffice, SandboxError> {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut tasks = JoinSet::new();
    for listener in listeners {
        let listener = TcpListener::from_std(listener)?;
        tasks.spawn(accept(listener, Arc::clone(exchange), Arc::clone(&places)));
    }
    Ok(PostOffice { _listeners: tasks })
}

async fn accept(listener: TcpListener, exchange: Arc<Exchange>, places: Arc<Semaphore>) {
    let mut connections = JoinSet::new();
    loop {
        // Clients past the limit wait in the system's queue.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let exchange = Arc::clone(&exchange);
                connections.spawn(async move {
                    if let Err(error) = Connection::new(stream, exchange).run().await {
                        tracing::debug!(%error, "an SMTP connection broke off");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "SMTP accept failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// What the next bytes are.
enum Reading {
    Commands,
    Mail(DataReceiver, Vec<u8>),
    /// Past the size limit: read to its end and dropped.
    TooLarge(DummyDataReceiver),
    /// The rest of an overlong line.
    LineEnd,
}

struct Connection {
    stream: TcpStream,
    exchange: Arc<Exchange>,
    session: Session,
    commands: RequestReceiver,
    reading: Reading,
    replies: Vec<u8>,
}

impl Connection {
    fn new(stream: TcpStream, exchange: Arc<Exchange>) -> Self {
        let (session, commands) = (Session::default(), RequestReceiver::default());
        Self { stream, exchange, session, commands, reading: Reading::Commands, replies: Vec::new() }
    }

    async fn run(mut self) -> std::io::Result<()> {
        self.replies.extend_from_slice(session::GREETING.as_bytes());
        self.flush().await?;
        let mut buffer = vec![0; 8 * 1024];
        loop {
            let Ok(read) = tokio::time::timeout(IDLE, self.stream.read(&mut buffer)).await else {
                self.replies.extend_from_slice(b"421 4.4.2 Idle for too long\r\n");
                return self.flush().await;
            };
            let read = read?;
            if read == 0 {
                return Ok(());
            }
            let mut bytes = buffer[..read].iter();
            // Commands may come in one packet (RFC 2920): each is answered, in order.
            while !bytes.as_slice().is_empty() {
                if !self.take(&mut bytes).await? {
                    return self.flush().await;
                }
            }
            self.flush().await?;
        }
    }

    /// Takes one command or a piece of a mail; false ends the connection.
    async fn take(&mut self, bytes: &mut Iter<'_, u8>) -> std::io::Result<bool> {
        match &mut self.reading {
            Reading::Commands => return self.take_command(bytes).await,
            Reading::LineEnd => {
                if DummyLineReceiver::default().ingest(bytes) {
                    self.reading = Reading::Commands;
                }
            }
            Reading::Mail(receiver, mail) => {
                if receiver.ingest(bytes, mail) {
                    let mail = std::mem::take(mail);
                    self.finish(&mail);
                } else if mail.len() > MAX_MAIL {
                    self.reading = Reading::TooLarge(DummyDataReceiver::new_data(receiver));
                }
            }
            Reading::TooLarge(receiver) => {
                if receiver.ingest(bytes) {
                    self.reading = Reading::Commands;
                    self.session.reset();
                    self.replies.extend_from_slice(b"552 5.3.4 The message is too large\r\n");
                }
            }
        }
        Ok(true)
    }

    async fn take_command(&mut self, bytes: &mut Iter<'_, u8>) -> std::io::Result<bool> {
        let step = match self.commands.ingest(bytes) {
            Err(Error::NeedsMoreData { .. }) => return Ok(true),
            Err(Error::ResponseTooLong) => {
                self.reading = Reading::LineEnd;
                self.session.answer_malformed(&Error::ResponseTooLong)
            }
            Err(error) => self.session.answer_malformed(&error),
            Ok(Request::Rcpt { to }) => {
                let to = to.address.into_owned();
                let fault = self.exchange.check_fault(Channel::Email).await.err();
                self.session.answer_recipient(to, fault)
            }
            Ok(request) => self.session.answer(request),
        };
        self.replies.extend_from_slice(step.reply.as_bytes());
        match step.then {
            Then::GoOn => Ok(true),
            Then::Close => Ok(false),
            Then::ReadMail => {
                self.flush().await?;
                self.reading = Reading::Mail(new_data_receiver(), Vec::new());
                Ok(true)
            }
        }
    }

    fn finish(&mut self, raw: &[u8]) {
        self.reading = Reading::Commands;
        let reply = if raw.len() > MAX_MAIL {
            self.session.reset();
            "552 5.3.4 The message is too large\r\n"
        } else {
            let envelope = self.session.take_envelope();
            file_mail(&self.exchange, envelope, raw);
            "250 2.0.0 Filed in the inbox\r\n"
        };
        self.replies.extend_from_slice(reply.as_bytes());
    }

    async fn flush(&mut self) -> std::io::Result<()> {
        let written = tokio::time::timeout(IDLE, self.stream.write_all(&self.replies)).await;
        self.replies.clear();
        written.map_err(std::io::Error::from)?
    }
}

/// A mail may begin with its end, `.`: the receiver must know that a line has just ended.
fn new_data_receiver() -> DataReceiver {
    let mut receiver = DataReceiver::new();
    receiver.ingest(&mut b"\r\n".iter(), &mut Vec::new());
    receiver
}

/// One line of the inbox per recipient of the envelope.
fn file_mail(exchange: &Exchange, envelope: Envelope, raw: &[u8]) {
    let mail = read_mail(raw);
    let from = mail.from.unwrap_or(envelope.from);
    for to in envelope.recipients {
        let mut message = Message::new(sid("ME"), Channel::Email, to, from.clone(), Status::Received);
        message.subject.clone_from(&mail.subject);
        message.text.clone_from(&mail.text);
        message.html.clone_from(&mail.html);
        exchange.inbox.insert(message);
    }
}
