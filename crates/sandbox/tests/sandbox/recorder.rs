//! A customer's server: it records what it is asked and answers what the test says.

use actix_web::web::{self, Bytes};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};

#[derive(Clone, Debug)]
pub struct Recorded {
    pub method: String,
    pub path: String,
    /// As the caller saw it.
    pub url: String,
    pub form: BTreeMap<String, String>,
    pub signature: String,
}

pub struct Recorder {
    pub base: String,
    received: Mutex<mpsc::UnboundedReceiver<Recorded>>,
}

/// `answer` gives status and body.
pub fn start_recorder(answer: impl Fn(&Recorded) -> (u16, String) + Send + Sync + 'static) -> Recorder {
    let (sender, received) = mpsc::unbounded_channel();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (answer, own) = (Arc::new(answer), base.clone());
    let handle = move |request: HttpRequest, body: Bytes| {
        let recorded = Recorded {
            method: request.method().to_string(),
            path: request.path().to_owned(),
            url: format!("{own}{}", request.uri()),
            form: url::form_urlencoded::parse(&body).into_owned().collect(),
            signature: request.headers().get("X-Twilio-Signature").unwrap().to_str().unwrap().to_owned(),
        };
        let (status, body) = answer(&recorded);
        sender.send(recorded).unwrap();
        async move { HttpResponse::build(status.try_into().unwrap()).content_type("text/xml").body(body) }
    };
    std::thread::spawn(move || {
        let server = HttpServer::new(move || App::new().default_service(web::to(handle.clone()))).workers(1);
        actix_web::rt::System::new().block_on(server.listen(listener).unwrap().run()).unwrap();
    });
    Recorder { base, received: Mutex::new(received) }
}

impl Recorder {
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub async fn next(&self) -> Recorded {
        let mut received = self.received.lock().await;
        tokio::time::timeout(Duration::from_secs(20), received.recv()).await.expect("no request came").unwrap()
    }

    /// The next request to `path`; others are dropped.
    pub async fn next_at(&self, path: &str) -> Recorded {
        loop {
            let recorded = self.next().await;
            if recorded.path == path {
                return recorded;
            }
        }
    }
}
