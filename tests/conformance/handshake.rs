//! Which TLS an endpoint speaks (RFC 9325, 3.1 and 4.2; FAPI 2.0 Security Profile, 5.2): a client's first message written
//! by hand, since no library here would offer what must be refused.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use url::Url;

/// Content types of records (RFC 5246, 6.2.1).
const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;
const TLS_1_0: u16 = 0x0301;
const TLS_1_1: u16 = 0x0302;
const TLS_1_2: u16 = 0x0303;
/// ECDHE with ECDSA or RSA and AES-GCM (RFC 9325, 4.2).
const STRONG: [u16; 4] = [0xc02b, 0xc02c, 0xc02f, 0xc030];
/// No forward secrecy, CBC, 3DES, RC4, no encryption.
const WEAK: [u16; 7] = [0x009c, 0x002f, 0xc009, 0xc013, 0x000a, 0x0005, 0x0002];

/// TLS 1.2 with strong suites is spoken at `address`; with weak ones, and TLS 1.0 and 1.1, are not.
pub async fn check(address: &str) {
    assert_eq!(greet(address, TLS_1_2, &STRONG).await, HANDSHAKE, "{address}: TLS 1.2");
    assert_eq!(greet(address, TLS_1_2, &WEAK).await, ALERT, "{address}: weak suites");
    for old in [TLS_1_0, TLS_1_1] {
        let suites = [&STRONG[..], &WEAK[..]].concat();
        assert_eq!(greet(address, old, &suites).await, ALERT, "{address}: TLS {old:#06x}");
    }
}

/// The content type of the first record that answers a ClientHello.
async fn greet(address: &str, version: u16, suites: &[u16]) -> u8 {
    let url = Url::parse(address).expect("an address");
    let host = url.host_str().expect("a host");
    let mut stream = TcpStream::connect((host, url.port_or_known_default().expect("a port"))).await.expect("connected");
    stream.write_all(&client_hello(version, suites)).await.expect("sent");
    stream.read_u8().await.expect("an answer")
}

/// RFC 5246, 7.4.1.2, in a record of its own.
fn client_hello(version: u16, suites: &[u16]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    body.extend([7; 32]);
    body.push(0); // no session
    body.extend(sized(&words(suites)));
    body.extend([1, 0]); // no compression
    body.extend(sized(&extensions()));
    let mut message = vec![1, 0];
    message.extend(sized(&body));
    let mut record = vec![HANDSHAKE];
    record.extend(TLS_1_0.to_be_bytes());
    record.extend(sized(&message));
    record
}

/// Groups, point formats, signature algorithms, extended master secret, no renegotiation: what servers insist on.
fn extensions() -> Vec<u8> {
    let extension = |kind: u16, content: &[u8]| [kind.to_be_bytes().to_vec(), sized(content)].concat();
    [
        extension(10, &sized(&words(&[0x001d, 0x0017]))),
        extension(11, &[1, 0]),
        extension(13, &sized(&words(&[0x0403, 0x0503, 0x0804, 0x0401]))),
        extension(23, &[]),
        extension(0xff01, &[0]),
    ]
    .concat()
}

fn words(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

/// With its length in two bytes before it.
fn sized(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("short");
    [length.to_be_bytes().to_vec(), content.to_vec()].concat()
}
