use super::*;
use crate::parse;

fn phone() -> Policy {
    parse("phone.toml", include_str!("../../../../config/policies/phone.toml")).unwrap()
}

#[test]
fn every_step_and_every_way_is_in_both_pictures() {
    let policy = phone();
    let (svg, mermaid) = (draw_svg(&policy), draw_mermaid(&policy));
    for step in &policy.steps {
        assert!(svg.contains(&format!(">{}</text>", step.name)), "{}", step.name);
        assert!(mermaid.contains(&format!("<b>{}</b>", step.name)), "{}", step.name);
    }
    for words in ["session.remembered", "undeliverable", "@forgot-password", "@resume-registration", "signed in"] {
        assert!(svg.contains(words), "{words}");
    }
}

#[test]
fn nodes_stand_apart_and_arrows_lead_from_node_to_node() {
    let graph = Graph::of(&phone());
    let layout = layout::lay_out(&graph);
    for (index, one) in layout.nodes.iter().enumerate() {
        for other in layout.nodes.iter().skip(index + 1) {
            let apart = (one.0 - other.0).abs() >= layout::NODE_WIDTH || (one.1 - other.1).abs() >= layout::NODE_HEIGHT;
            assert!(apart, "{one:?} {other:?}");
        }
        assert!(one.0 > 0 && one.0 < layout.width && one.1 > 0 && one.1 < layout.height);
    }
    for (edge, points) in graph.edges.iter().zip(&layout.edges) {
        let (from, to) = (layout.nodes[edge.from], layout.nodes[edge.to]);
        let near = |point: (i32, i32), node: (i32, i32)| {
            (point.0 - node.0).abs() <= layout::NODE_WIDTH / 2 && (point.1 - node.1).abs() <= layout::NODE_HEIGHT / 2
        };
        assert!(near(points[0], from) && near(*points.last().unwrap(), to), "{edge:?} {points:?}");
    }
}

#[test]
fn the_picture_is_the_same_every_time() {
    assert_eq!(draw_svg(&phone()), draw_svg(&phone()));
}
