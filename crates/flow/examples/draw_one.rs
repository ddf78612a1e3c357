//! Draws one policy to the terminal: `cargo run --example draw_one -- FILE`.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "an example for the terminal")]
fn main() {
    let file = std::env::args().nth(1).expect("a file");
    let text = std::fs::read_to_string(&file).expect("a readable file");
    println!("{}", countersign_flow::draw::draw_svg(&countersign_flow::parse(&file, &text).expect("a policy")));
}
