//! The picture as SVG: no script, no outside font, readable in print.

use std::fmt::Write as _;

use super::layout::{NODE_HEIGHT, NODE_WIDTH, lay_out};
use super::{Edge, Graph, Look, Node};
use crate::language::Policy;

const LEGEND_HEIGHT: i32 = 120;
const HEAD_HEIGHT: i32 = 64;
/// The legend needs this much.
const LEAST_WIDTH: i32 = 860;

/// The class of a look in Mermaid.
pub(super) const fn class(look: Look) -> &'static str {
    match look {
        Look::Proof => "proof",
        Look::Change => "change",
        Look::Page => "page",
        Look::Branch => "decides",
        Look::Effect => "does",
        Look::Issue => "issued",
        Look::Stop => "stopped",
        Look::Policy => "policy",
    }
}

/// Fill and line of a look; black text on each fill has a contrast over 7.
pub(super) const fn colours(look: Look) -> (&'static str, &'static str) {
    match look {
        Look::Proof => ("#cfe3f7", "#1c5c99"),
        Look::Change => ("#f9dfc0", "#9a5a0c"),
        Look::Page => ("#f4f4f4", "#6b6b6b"),
        Look::Branch => ("#fdf3b8", "#8a7400"),
        Look::Effect => ("#e6d9f2", "#6b3fa0"),
        Look::Issue => ("#c9ecd0", "#1f7a35"),
        Look::Stop => ("#f8d0d0", "#a32020"),
        Look::Policy => ("#ffffff", "#1a1a1a"),
    }
}

/// The policy as an SVG document.
pub fn draw_svg(policy: &Policy) -> String {
    let graph = Graph::of(policy);
    let layout = lay_out(&graph);
    let width = layout.width.max(LEAST_WIDTH);
    let shift = (width - layout.width) / 2;
    let height = HEAD_HEIGHT + layout.height + LEGEND_HEIGHT;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"13\" role=\"img\">\n<title>{}</title>\n\
         <defs><marker id=\"arrow\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" markerHeight=\"7\" \
         orient=\"auto-start-reverse\"><path d=\"M0 0 10 5 0 10z\" fill=\"#444\"/></marker></defs>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n",
        escape(&policy.id)
    );
    let entry: Vec<&str> = policy.entry.iter().map(|entry| entry.as_str()).collect();
    let _ = writeln!(
        svg,
        "<text x=\"24\" y=\"34\" font-size=\"22\" font-weight=\"bold\">{}</text>\n\
         <text x=\"24\" y=\"54\" fill=\"#444\">{}; begun by {}; requires {}</text>\n<g transform=\"translate({shift} {HEAD_HEIGHT})\">",
        escape(&policy.id),
        policy.purpose.as_str(),
        entry.join(", "),
        escape(&requires(policy))
    );
    for (edge, points) in graph.edges.iter().zip(&layout.edges) {
        svg.push_str(&draw_line(edge, points));
    }
    if let Some((x, y)) = layout.nodes.get(graph.start) {
        let top = y - NODE_HEIGHT / 2;
        let _ = writeln!(
            svg,
            "<circle cx=\"{x}\" cy=\"{}\" r=\"7\" fill=\"#1a1a1a\"/><path d=\"M{x} {} V{top}\" stroke=\"#444\" \
             stroke-width=\"1.5\" marker-end=\"url(#arrow)\"/>",
            top - 18,
            top - 11
        );
    }
    for (node, (x, y)) in graph.nodes.iter().zip(&layout.nodes) {
        svg.push_str(&draw_node(node, *x, *y));
    }
    // Words last, so that no line crosses them out.
    for (edge, points) in graph.edges.iter().zip(&layout.edges) {
        svg.push_str(&draw_label(edge, points));
    }
    svg.push_str("</g>\n");
    svg.push_str(&draw_legend(HEAD_HEIGHT + layout.height));
    svg.push_str("</svg>\n");
    svg
}

fn requires(policy: &Policy) -> String {
    let tell = |entry: &crate::language::Requirement| {
        let factors: Vec<&str> = entry.factors.iter().map(countersign_model::Fact::as_str).collect();
        let whom = (!entry.is_for_all()).then(|| format!(" of {}", entry.whom()));
        format!("{}{}", factors.join(" + "), whom.unwrap_or_default())
    };
    let all: Vec<String> = policy.require.iter().map(tell).collect();
    if all.is_empty() { "nothing: it signs nobody in".to_owned() } else { all.join("; ") }
}

fn draw_line(edge: &Edge, points: &[(i32, i32)]) -> String {
    let mut path = String::new();
    for (index, (x, y)) in points.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| points.get(before));
        let _ = match before {
            None => write!(path, "M{x} {y}"),
            Some((_, from_y)) if from_y == y => write!(path, " L{x} {y}"),
            Some((from_x, from_y)) => {
                let half = (y - from_y) / 2;
                write!(path, " C{from_x} {} {x} {} {x} {y}", from_y + half, y - half)
            }
        };
    }
    let dash = if edge.fails { " stroke-dasharray=\"5 4\"" } else { "" };
    let colour = if edge.fails { "#a32020" } else { "#444" };
    format!(
        "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"{dash} marker-end=\"url(#arrow)\"/>\n"
    )
}

/// The words stand a third along the first stretch, where arrows of one node are apart from each other already.
fn draw_label(edge: &Edge, points: &[(i32, i32)]) -> String {
    let (Some((x1, y1)), Some((x2, y2))) = (points.first(), points.get(1)) else { return String::new() };
    let (x, y) = (x1 + (x2 - x1) * 2 / 5, y1 + (y2 - y1) * 2 / 5);
    let colour = if edge.fails { "#a32020" } else { "#1a1a1a" };
    format!(
        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\" font-size=\"11\" fill=\"{colour}\" stroke=\"#fff\" \
         stroke-width=\"4\" paint-order=\"stroke\">{}</text>\n",
        escape(&shorten(&edge.label, 34))
    )
}

fn draw_node(node: &Node, x: i32, y: i32) -> String {
    let (fill, line) = colours(node.look);
    let (left, top) = (x - NODE_WIDTH / 2, y - NODE_HEIGHT / 2);
    let paint = format!("fill=\"{fill}\" stroke=\"{line}\" stroke-width=\"2\"");
    let shape = match node.look {
        Look::Branch => {
            let (right, bottom, cut) = (x + NODE_WIDTH / 2, y + NODE_HEIGHT / 2, 16);
            format!(
                "<path d=\"M{left} {y} L{} {top} H{} L{right} {y} L{} {bottom} H{} Z\" {paint}/>",
                left + cut,
                right - cut,
                right - cut,
                left + cut
            )
        }
        look => {
            let radius = match look {
                Look::Issue | Look::Stop => NODE_HEIGHT / 2,
                Look::Policy => 0,
                _ => 8,
            };
            let double = if look == Look::Policy || look == Look::Issue {
                let (x, y, w, h) = (left + 4, top + 4, NODE_WIDTH - 8, NODE_HEIGHT - 8);
                let inner = (radius - 4).max(0);
                format!(
                    "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"{inner}\" fill=\"none\" stroke=\"{line}\"/>"
                )
            } else {
                String::new()
            };
            format!(
                "<rect x=\"{left}\" y=\"{top}\" width=\"{NODE_WIDTH}\" height=\"{NODE_HEIGHT}\" rx=\"{radius}\" {paint}/>{double}"
            )
        }
    };
    format!(
        "{shape}\n<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\" font-weight=\"bold\">{}</text>\n\
         <text x=\"{x}\" y=\"{}\" text-anchor=\"middle\" font-size=\"11\" fill=\"#333\">{}</text>\n",
        y - 3,
        escape(&shorten(&node.name, 24)),
        y + 14,
        escape(&shorten(&node.detail, 30))
    )
}

fn draw_legend(top: i32) -> String {
    let mut svg = format!("<g font-size=\"12\" transform=\"translate(24 {top})\">\n");
    for (index, (look, words)) in Look::ALL.into_iter().enumerate() {
        let (fill, line) = colours(look);
        let place = i32::try_from(index).unwrap_or_default();
        let (x, y) = ((place % 4) * 200, 20 + (place / 4) * 30);
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{y}\" width=\"26\" height=\"16\" rx=\"3\" fill=\"{fill}\" stroke=\"{line}\" \
             stroke-width=\"2\"/><text x=\"{}\" y=\"{}\">{words}</text>",
            x + 34,
            y + 13
        );
    }
    svg.push_str("<path d=\"M0 92 H26\" stroke=\"#a32020\" stroke-width=\"1.5\" stroke-dasharray=\"5 4\"/><text x=\"34\" y=\"96\">taken when a step fails; `cancel` leads from every page and is not drawn</text>\n</g>\n");
    svg
}

fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most - 1).collect();
    short.push('…');
    short
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
