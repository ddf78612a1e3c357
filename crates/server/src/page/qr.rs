//! QR codes as SVG paths: drawn by the server, so that the seed goes to nobody else and no script is needed.

use std::fmt::Write as _;

use qrcodegen::{QrCode, QrCodeEcc};

use super::view::QrView;

/// The quiet zone around the modules (ISO/IEC 18004, 6.3.8).
const QUIET: i32 = 4;
/// The longest text drawn, in bytes.
const MAX_TEXT: usize = 1000;

/// The QR code of `text`; none where it is too long for one.
pub fn draw(text: &str) -> Option<QrView> {
    if text.is_empty() || text.len() > MAX_TEXT {
        return None;
    }
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let side = code.size();
    let mut path = String::new();
    for y in 0..side {
        let mut x = 0;
        while x < side {
            let run = (x..side).take_while(|at| code.get_module(*at, y)).count();
            let run = i32::try_from(run).ok()?;
            if run > 0 {
                let _ = write!(path, "M{} {}h{run}v1h-{run}z", x + QUIET, y + QUIET);
            }
            x += run.max(1);
        }
    }
    Some(QrView { size: u32::try_from(side + 2 * QUIET).ok()?, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_covers_exactly_the_dark_modules() {
        let text = "otpauth://totp/Atrezzo:d.duck?secret=JBSWY3DPEHPK3PXP&issuer=Atrezzo";
        let (drawn, code) = (draw(text).unwrap(), QrCode::encode_text(text, QrCodeEcc::Medium).unwrap());
        let covered: u32 = drawn
            .path
            .split('M')
            .skip(1)
            .map(|run| run.split(['h', 'v']).nth(1).unwrap().parse::<u32>().unwrap())
            .sum();
        let side = code.size();
        let dark = (0..side * side).filter(|at| code.get_module(at % side, at / side)).count();
        assert_eq!((covered as usize, drawn.size), (dark, (side + 8).unsigned_abs()));
        assert!(drawn.path.starts_with("M4 4h7v1h-7z"), "{:.40}", drawn.path);
        assert!(draw(&"x".repeat(1001)).is_none() && draw("").is_none());
    }
}
