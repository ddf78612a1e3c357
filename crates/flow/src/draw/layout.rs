//! A layered layout: every arrow but those that lead back goes down; long ones pass between the nodes of a layer.

use std::collections::VecDeque;

use super::Graph;

pub(super) const NODE_WIDTH: i32 = 190;
pub(super) const NODE_HEIGHT: i32 = 54;
const GAP_X: i32 = 56;
const GAP_Y: i32 = 86;
/// The width of an arrow that passes a layer.
const PASS_WIDTH: i32 = 24;
const SWEEPS: usize = 12;

/// Where everything stands.
pub(super) struct Layout {
    /// Centre of each node.
    pub(super) nodes: Vec<(i32, i32)>,
    /// The points of each arrow, in its direction.
    pub(super) edges: Vec<Vec<(i32, i32)>>,
    pub(super) width: i32,
    pub(super) height: i32,
}

/// A place in a layer: a node, or an arrow that passes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slot {
    Node(usize),
    Pass(usize),
}

pub(super) fn lay_out(graph: &Graph) -> Layout {
    let (layers, back) = find_layers(graph);
    let depth = layers.iter().copied().max().unwrap_or_default() + 1;
    let mut rows: Vec<Vec<Slot>> = vec![Vec::new(); depth];
    for (node, layer) in layers.iter().enumerate() {
        if let Some(row) = rows.get_mut(*layer) {
            row.push(Slot::Node(node));
        }
    }
    for (index, edge) in graph.edges.iter().enumerate() {
        let (from, to) = ends(&layers, edge.from, edge.to);
        for row in rows.iter_mut().take(to).skip(from + 1) {
            row.push(Slot::Pass(index));
        }
    }
    for sweep in 0..SWEEPS {
        order(graph, &layers, &mut rows, sweep % 2 == 0);
    }
    place(graph, &layers, &rows, &back)
}

fn ends(layers: &[usize], from: usize, to: usize) -> (usize, usize) {
    let layer = |node: usize| layers.get(node).copied().unwrap_or_default();
    (layer(from).min(layer(to)), layer(from).max(layer(to)))
}

/// The layer of each node, by the longest way from the start without arrows that lead back; and which arrows do.
fn find_layers(graph: &Graph) -> (Vec<usize>, Vec<bool>) {
    let mut near = vec![usize::MAX; graph.nodes.len()];
    let mut waiting = VecDeque::from([(graph.start, 0)]);
    while let Some((node, distance)) = waiting.pop_front() {
        let Some(known) = near.get_mut(node).filter(|known| **known == usize::MAX) else { continue };
        *known = distance;
        let onward = graph.edges.iter().filter(|edge| edge.from == node);
        waiting.extend(onward.map(|edge| (edge.to, distance + 1)));
    }
    let at = |node: usize| near.get(node).copied().unwrap_or_default();
    // What is nearer to the start, or as near and earlier in the file, is above: arrows up lead back.
    // Nothing leads back to an end: it stands below everything that leads to it.
    let is_end = |node: usize| graph.edges.iter().all(|edge| edge.from != node);
    let leads_back = |from: usize, to: usize| !is_end(to) && (at(to), to) <= (at(from), from);
    let back: Vec<bool> = graph.edges.iter().map(|edge| leads_back(edge.from, edge.to)).collect();
    let mut layers = vec![0; graph.nodes.len()];
    for _ in 0..graph.nodes.len() {
        for (edge, _) in graph.edges.iter().zip(&back).filter(|(_, back)| !**back) {
            let below = layers.get(edge.from).copied().unwrap_or_default() + 1;
            if let Some(layer) = layers.get_mut(edge.to) {
                *layer = below.max(*layer);
            }
        }
    }
    // What no arrow reaches, such as the end of `cancel`, stands at the bottom.
    let deepest = layers.iter().copied().max().unwrap_or_default();
    for (node, layer) in layers.iter_mut().enumerate() {
        if node != graph.start && graph.edges.iter().all(|edge| edge.from != node && edge.to != node) {
            *layer = deepest;
        }
    }
    (layers, back)
}

/// Puts every slot of a row near the middle of what it is joined to in the row before, downwards or upwards.
fn order(graph: &Graph, layers: &[usize], rows: &mut [Vec<Slot>], down: bool) {
    let count = rows.len();
    for step in 1..count {
        let (row, fixed) = if down { (step, step - 1) } else { (count - 1 - step, count - step) };
        let Some(anchors) = rows.get(fixed).cloned() else { continue };
        let Some(moving) = rows.get_mut(row) else { continue };
        let mut weighed: Vec<(i64, usize, Slot)> = moving
            .iter()
            .enumerate()
            .map(|(index, slot)| (middle(graph, layers, *slot, &anchors, row, index), index, *slot))
            .collect();
        weighed.sort_by_key(|(weight, index, _)| (*weight, *index));
        *moving = weighed.into_iter().map(|(_, _, slot)| slot).collect();
    }
}

fn middle(graph: &Graph, layers: &[usize], slot: Slot, anchors: &[Slot], row: usize, index: usize) -> i64 {
    let touches = |edge_index: usize, anchor: &Slot| {
        let Some(edge) = graph.edges.get(edge_index) else { return false };
        match anchor {
            Slot::Pass(other) => *other == edge_index,
            Slot::Node(node) => *node == edge.from || *node == edge.to,
        }
    };
    let edges: Vec<usize> = match slot {
        Slot::Pass(edge) => vec![edge],
        Slot::Node(node) => {
            let own = graph.edges.iter().enumerate().filter(|(_, edge)| edge.from == node || edge.to == node);
            own.filter(|(_, edge)| ends(layers, edge.from, edge.to) != (row, row)).map(|(index, _)| index).collect()
        }
    };
    let places: Vec<i64> = anchors
        .iter()
        .enumerate()
        .filter(|(_, anchor)| edges.iter().any(|edge| touches(*edge, anchor)))
        .map(|(place, _)| scale(place, anchors.len()))
        .collect();
    let count = i64::try_from(places.len()).unwrap_or(1);
    if count == 0 { scale(index, anchors.len().max(index + 1)) } else { places.iter().sum::<i64>() / count }
}

fn scale(place: usize, count: usize) -> i64 {
    let (place, count) = (i64::try_from(place).unwrap_or(0), i64::try_from(count).unwrap_or(1));
    (place * 2 + 1) * 10_000 / count.max(1)
}

const fn slot_width(slot: Slot) -> i32 {
    match slot {
        Slot::Node(_) => NODE_WIDTH + GAP_X,
        Slot::Pass(_) => PASS_WIDTH,
    }
}

fn place(graph: &Graph, layers: &[usize], rows: &[Vec<Slot>], back: &[bool]) -> Layout {
    let row_width = |row: &Vec<Slot>| row.iter().copied().map(slot_width).sum::<i32>();
    let width = rows.iter().map(row_width).max().unwrap_or_default() + GAP_X;
    let mut nodes = vec![(0, 0); graph.nodes.len()];
    let mut passes: Vec<Vec<(i32, i32)>> = vec![Vec::new(); graph.edges.len()];
    let mut y = NODE_HEIGHT;
    for row in rows {
        let mut x = (width - row_width(row)) / 2;
        for slot in row {
            let centre = (x + slot_width(*slot) / 2, y);
            match slot {
                Slot::Node(node) => {
                    if let Some(place) = nodes.get_mut(*node) {
                        *place = centre;
                    }
                }
                Slot::Pass(edge) => passes.get_mut(*edge).into_iter().for_each(|points| points.push(centre)),
            }
            x += slot_width(*slot);
        }
        y += NODE_HEIGHT + GAP_Y;
    }
    let at = |node: usize| nodes.get(node).copied().unwrap_or_default();
    let mut edges = Vec::new();
    for ((edge, mut points), back) in graph.edges.iter().zip(passes).zip(back) {
        let (from, to) = (at(edge.from), at(edge.to));
        let same = ends(layers, edge.from, edge.to);
        if *back {
            points.reverse();
        }
        let side =
            |centre: (i32, i32), below: bool| (centre.0, centre.1 + if below { 1 } else { -1 } * NODE_HEIGHT / 2);
        let mut line = vec![side(from, !*back)];
        if same.0 == same.1 {
            // A loop on one layer goes round by the right.
            let right = from.0.max(to.0) + NODE_WIDTH / 2 + GAP_X / 2;
            line = vec![(from.0 + NODE_WIDTH / 2, from.1), (right, from.1), (right, to.1 + 12)];
            line.push((to.0 + NODE_WIDTH / 2, to.1 + 12));
        } else {
            line.extend(points);
            line.push(side(to, *back));
        }
        edges.push(line);
    }
    Layout { nodes, edges, width, height: y }
}
