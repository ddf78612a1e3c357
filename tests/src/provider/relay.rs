//! A mail relay that keeps what it is given.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How the relay treats a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temper {
    /// Takes it.
    Takes,
    /// Refuses it for now.
    RefusesForNow,
    /// Refuses it for good.
    RefusesForGood,
    /// Never answers it.
    Hangs,
}

/// A mail it took.
#[derive(Clone, Debug)]
pub struct Letter {
    /// To whom.
    pub to: String,
    /// Header and body.
    pub text: String,
}

impl Letter {
    /// The line that is six digits, if there is one.
    pub fn find_code(&self) -> Option<String> {
        let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit());
        self.text.lines().map(str::trim).find(is_code).map(str::to_owned)
    }

    /// The token of the link in it, if there is one.
    pub fn find_link(&self) -> Option<String> {
        let text = self.text.replace("=\r\n", "").replace("=\n", "");
        let (_, rest) = text.split_once("/link/")?;
        Some(rest.chars().take(43).collect())
    }
}

/// The relay, listening until the runtime ends.
pub struct Relay {
    /// Its port on 127.0.0.1.
    pub port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    temper: Temper,
    letters: Vec<Letter>,
    tries: usize,
}

impl Relay {
    /// Opens it at a port of its own.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
        let port = listener.local_addr().expect("address").port();
        let state = Arc::new(Mutex::new(State { temper: Temper::Takes, letters: Vec::new(), tries: 0 }));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk(stream, Arc::clone(&shared)));
            }
        });
        Self { port, state }
    }

    /// Treats the next mails like this.
    pub fn set_temper(&self, temper: Temper) {
        lock(&self.state).temper = temper;
    }

    /// What it took, oldest first.
    pub fn letters(&self) -> Vec<Letter> {
        lock(&self.state).letters.clone()
    }

    /// How many mails were handed to it, taken or not.
    pub fn tries(&self) -> usize {
        lock(&self.state).tries
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn talk(stream: TcpStream, state: Arc<Mutex<State>>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 relay ready\r\n").await.ok()?;
    let mut to = String::new();
    loop {
        let line = read_line(&mut stream).await?;
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
        if verb == "RCPT" {
            to = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        }
        let answer = match verb.as_str() {
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.ok()?;
                let text = read_mail(&mut stream).await?;
                take(&state, Letter { to: to.clone(), text })
            }
            _ => "250 ok",
        };
        if answer.is_empty() {
            std::future::pending::<()>().await;
        }
        stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
    }
}

fn take(state: &Mutex<State>, letter: Letter) -> &'static str {
    let mut state = lock(state);
    state.tries += 1;
    match state.temper {
        Temper::Takes => {
            state.letters.push(letter);
            "250 taken"
        }
        Temper::RefusesForNow => "451 later",
        Temper::RefusesForGood => "550 never",
        Temper::Hangs => "",
    }
}

async fn read_mail(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut text = String::new();
    loop {
        let line = read_line(stream).await?;
        if line == "." {
            return Some(text);
        }
        text.push_str(&line);
        text.push('\n');
    }
}

async fn read_line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let length = stream.read_line(&mut line).await.ok()?;
    (length > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}
