//! What the machine can do at best, measured in the same run: an empty handler of the same web framework, signatures,
//! password hashes, round trips to Redis and writes that reach the disk.

use std::hint::black_box;
use std::io::{BufRead as _, Seek as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Instant;

use actix_web::{App, HttpResponse, HttpServer, web};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_flow::password::{HashParams, hash_with};
use countersign_tests::servers::Running;
use countersign_tests::stores::redis_url;
use jsonwebtoken::EncodingKey;

use crate::figures::{float, float_of, median, whole};
use crate::generator::{Pace, Script, Scripts, drive};
use crate::link::get;
use crate::plan::Plan;
use crate::process::{self, Cores};
use crate::script::Repeat;

/// Microseconds of one of each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Floors {
    /// CPU time of an empty handler of actix-web for a request.
    pub empty: f64,
    /// Such requests a second.
    pub empty_rate: f64,
    /// A signature by a key that is there, ready.
    pub rs256: f64,
    /// The same.
    pub es256: f64,
    /// The same.
    pub eddsa: f64,
    /// A signature of RS256 by jsonwebtoken, which reads the key anew each time.
    pub rs256_reading_key: f64,
    /// The check of a signature of RS256.
    pub verification: f64,
    /// A password hash at the product's parameters.
    pub argon2id: f64,
    /// There and back to Redis.
    pub redis: f64,
    /// A write of 4 KiB until it is on the disk.
    pub fsync: f64,
}

/// What a token's signature covers: about as long as header and claims of an access token.
const MESSAGE: [u8; 600] = [b'x'; 600];

/// Measures them.
pub async fn measure(plan: &Plan, cores: Cores) -> Floors {
    let (empty, empty_rate) = measure_empty(plan, cores).await;
    let raw = |what: &mut dyn FnMut()| time(plan, plan.raw, what);
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
    let random = SystemRandom::new();
    let mut signature = vec![0; rsa.public_modulus_len()];
    let rs256 = raw(&mut || rsa.sign(&RSA_PKCS1_SHA256, &random, &MESSAGE, &mut signature).expect("a signature"));
    let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, rsa.public_key().as_ref()).expect("a key");
    let verification = raw(&mut || public.verify_sig(&MESSAGE, &signature).expect("it holds"));
    let ecdsa = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let eddsa = Ed25519KeyPair::generate().expect("a key");
    let mut memory = Vec::new();
    let mut hash =
        || drop(hash_with(&mut memory, "meadow-lark-2291-kite", &[7; 16], HashParams::default()).expect("a hash"));
    Floors {
        empty,
        empty_rate,
        rs256,
        es256: raw(&mut || {
            let _ = black_box(ecdsa.sign(&random, &MESSAGE).expect("a signature"));
        }),
        eddsa: raw(&mut || {
            let _ = black_box(eddsa.sign(&MESSAGE));
        }),
        rs256_reading_key: measure_jsonwebtoken(plan, &rsa),
        verification,
        argon2id: time(plan, plan.raw.div_ceil(20), &mut hash),
        redis: measure_redis(plan),
        fsync: measure_fsync(plan),
    }
}

/// Microseconds of one `what`: the median of the plan's runs, `often` in each.
fn time(plan: &Plan, often: usize, what: &mut dyn FnMut()) -> f64 {
    what();
    let runs = (0..plan.runs).map(|_| {
        let begin = Instant::now();
        (0..often).for_each(|_| what());
        begin.elapsed().as_secs_f64() * 1e6 / float(often)
    });
    median(runs.collect())
}

fn measure_jsonwebtoken(plan: &Plan, rsa: &RsaKeyPair) -> f64 {
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'static> = rsa.as_der().expect("a key");
    let body = STANDARD.encode(der.as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
    let key = EncodingKey::from_rsa_pem(pem.as_bytes()).expect("a key");
    let algorithm = jsonwebtoken::Algorithm::RS256;
    time(plan, plan.raw, &mut || {
        drop(jsonwebtoken::crypto::sign(&MESSAGE, &key, algorithm).expect("a signature"));
    })
}

fn measure_redis(plan: &Plan) -> f64 {
    let url: url::Url = redis_url().parse().expect("an address");
    let address = (url.host_str().unwrap_or("127.0.0.1"), url.port().unwrap_or(6379));
    let stream = TcpStream::connect(address).expect("Redis");
    stream.set_nodelay(true).expect("a socket");
    let mut answers = std::io::BufReader::new(stream.try_clone().expect("a socket"));
    let mut stream = stream;
    let mut line = String::new();
    time(plan, plan.raw * 10, &mut || {
        stream.write_all(b"PING\r\n").expect("Redis");
        line.clear();
        answers.read_line(&mut line).expect("Redis");
        assert_eq!(line.trim(), "+PONG");
    })
}

fn measure_fsync(plan: &Plan) -> f64 {
    let mut file = tempfile::tempfile().expect("a file");
    time(plan, plan.raw.div_ceil(4), &mut || {
        file.rewind().expect("a file");
        file.write_all(&[7; 4096]).expect("a file");
        file.sync_data().expect("a disk");
    })
}

/// CPU time of a request, and requests a second.
async fn measure_empty(plan: &Plan, cores: Cores) -> (f64, f64) {
    let own = std::env::current_exe().expect("own path");
    let mut process = Running::start("an empty handler", Command::new(own).arg(SUBCOMMAND));
    let line = process.wait_for_line(|line| line.starts_with("ready ")).await;
    let port: u16 = line.trim_start_matches("ready ").trim().parse().expect("a port");
    cores.give_server(process.pid());
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let request = get(&format!("localhost:{port}"), "/", &[]);
    let script = || Box::new(Repeat { request: request.clone(), status: 200, words: "" }) as Box<dyn Script>;
    let mut scripts: Scripts = (0..plan.connections).map(|_| script()).collect();
    let warm = drive(address, &mut scripts, plan.least * 100, Pace::Closed).await;
    let wanted = (warm.rate() * plan.span.as_secs_f64()).max(1.0);
    let (mut cpu, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..plan.runs {
        let operations = whole(wanted).clamp(plan.least, plan.most * 4);
        let before = process::cpu(process.pid());
        let run = drive(address, &mut scripts, operations, Pace::Closed).await;
        let spent = process::cpu(process.pid()).saturating_sub(before);
        cpu.push(float_of(spent) / float(operations));
        rates.push(run.rate());
    }
    (median(cpu), median(rates))
}

/// The word by which this binary becomes the empty handler.
pub const SUBCOMMAND: &str = "empty-handler";

/// Runs it: a server that answers 200 and nothing, until it is stopped.
pub fn serve_empty() {
    actix_web::rt::System::new().block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let empty = || async { HttpResponse::Ok().finish() };
        let server = HttpServer::new(move || App::new().route("/", web::get().to(empty)));
        let server = server.listen(listener).expect("a listener").run();
        println!("ready {port}");
        server.await.expect("a server");
    });
}
