//! Pictures of a policy: SVG for a wall, Mermaid for a page of documentation.

mod layout;
mod svg;

use std::fmt::Write as _;

use crate::language::{Destination, Policy, Step, StepKind, Switch, Target};

pub use svg::draw_svg;

/// A node of the picture: a step, or a policy that is switched to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    name: String,
    /// Kind, and what matters of it.
    detail: String,
    look: Look,
}

/// What colour and shape tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// Proves something.
    Proof,
    /// Sets or binds something.
    Change,
    /// Shows or asks something, and proves nothing.
    Page,
    /// Decides.
    Branch,
    /// Happens by itself.
    Effect,
    /// Signed in.
    Issue,
    /// Stopped.
    Stop,
    /// On in another policy.
    Policy,
}

impl Look {
    const ALL: [(Self, &'static str); 8] = [
        (Self::Proof, "proves a factor"),
        (Self::Change, "sets or binds one"),
        (Self::Page, "asks or shows"),
        (Self::Branch, "decides"),
        (Self::Effect, "does by itself"),
        (Self::Issue, "signed in"),
        (Self::Stop, "stopped"),
        (Self::Policy, "another policy"),
    ];

    fn of(kind: &StepKind) -> Self {
        match kind {
            StepKind::SetPassword { .. }
            | StepKind::BindPhone(_)
            | StepKind::BindEmail(_)
            | StepKind::BindTotp
            | StepKind::BindPasskey => Self::Change,
            StepKind::Branch(_) => Self::Branch,
            StepKind::Effect { .. } => Self::Effect,
            StepKind::Issue => Self::Issue,
            StepKind::Stop(_) => Self::Stop,
            StepKind::Switch(_) => Self::Policy,
            kind if kind.proves().is_some() => Self::Proof,
            _ => Self::Page,
        }
    }
}

/// An arrow: from, to, and its words.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Edge {
    from: usize,
    to: usize,
    label: String,
    /// Whether it is taken when something failed.
    fails: bool,
}

/// Nodes and arrows of a policy; the first nodes are its steps in order.
struct Graph {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    start: usize,
}

impl Graph {
    fn of(policy: &Policy) -> Self {
        let nodes = policy.steps.iter().map(step_node).collect();
        let mut graph = Self { nodes, edges: Vec::new(), start: policy.start };
        for (index, step) in policy.steps.iter().enumerate() {
            for (label, target) in list_labelled(step) {
                let to = graph.target(target);
                graph.join(index, to, &label);
            }
            if let StepKind::Switch(switch) = &step.kind {
                let to = graph.policy(switch);
                graph.join(index, to, &carried(switch));
                if let Some(otherwise) = switch.otherwise {
                    graph.join(index, otherwise, "not there");
                }
            }
        }
        graph
    }

    fn target(&mut self, target: &Target) -> usize {
        match &target.to {
            Destination::Step(step) => *step,
            Destination::Switch(switch) => self.policy(switch),
        }
    }

    fn policy(&mut self, switch: &Switch) -> usize {
        let name = format!("@{}", switch.policy);
        if let Some(index) = self.nodes.iter().position(|node| node.name == name) {
            return index;
        }
        let detail = if switch.optional { "policy, may be missing" } else { "policy" };
        self.nodes.push(Node { name, detail: detail.to_owned(), look: Look::Policy });
        self.nodes.len() - 1
    }

    /// One arrow per pair of nodes: several words share it.
    fn join(&mut self, from: usize, to: usize, label: &str) {
        let fails = matches!(label, "spent" | "undeliverable" | "declined" | "not there");
        let known = self.edges.iter_mut().find(|edge| edge.from == from && edge.to == to && edge.fails == fails);
        if let Some(edge) = known {
            let _ = write!(edge.label, ", {label}");
        } else {
            self.edges.push(Edge { from, to, label: label.to_owned(), fails });
        }
    }
}

fn carried(switch: &Switch) -> String {
    let facts: Vec<&str> = switch.carry.iter().map(countersign_model::Fact::as_str).collect();
    if facts.is_empty() { "goes on".to_owned() } else { format!("with {}", facts.join(", ")) }
}

fn list_labelled(step: &Step) -> Vec<(String, &Target)> {
    let mut labelled: Vec<(String, &Target)> =
        step.routes.iter().map(|(outcome, target)| (outcome.as_str().to_owned(), target)).collect();
    match &step.kind {
        StepKind::Choice(choice) => {
            let all = choice.options.iter().chain(&choice.links);
            labelled.extend(all.map(|option| (option.id.clone(), &option.target)));
        }
        StepKind::Stop(stop) => labelled.extend(stop.links.iter().map(|link| (link.id.clone(), &link.target))),
        StepKind::Branch(branch) => {
            labelled.extend(branch.when.iter().map(|clause| (clause.guard.to_string(), &clause.then)));
            labelled.push(("else".to_owned(), &branch.otherwise));
        }
        _ => {}
    }
    labelled
}

fn step_node(step: &Step) -> Node {
    let detail = match &step.kind {
        StepKind::Password { login } => format!("password by {}", login.as_str()),
        StepKind::Otp(otp) => {
            let channels: Vec<&str> = otp.channels.iter().map(|channel| channel.as_str()).collect();
            format!("code by {}", channels.join(", "))
        }
        StepKind::Effect { effects } => effects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        StepKind::Stop(stop) if stop.shows_page => format!("page {}", step.page),
        StepKind::Terms { document } => format!("terms {document}"),
        StepKind::Federate { provider } => format!("federate {provider}"),
        kind => kind.as_str().replace('_', " "),
    };
    Node { name: step.name.clone(), detail, look: Look::of(&step.kind) }
}

/// The policy as a Mermaid flowchart.
pub fn draw_mermaid(policy: &Policy) -> String {
    let graph = Graph::of(policy);
    let mut text = format!("---\ntitle: {}\n---\nflowchart TD\n    start(( )) --> n{}\n", policy.id, graph.start);
    for (index, node) in graph.nodes.iter().enumerate() {
        let label = format!("\"<b>{}</b><br>{}\"", node.name, node.detail);
        let shape = match node.look {
            Look::Branch => format!("{{{{{label}}}}}"),
            Look::Issue | Look::Stop => format!("([{label}])"),
            Look::Policy => format!("[[{label}]]"),
            _ => format!("[{label}]"),
        };
        let _ = writeln!(text, "    n{index}{shape}:::{}", svg::class(node.look));
    }
    for edge in &graph.edges {
        let arrow = if edge.fails { "-.->" } else { "-->" };
        let _ = writeln!(text, "    n{} {arrow}|\"{}\"| n{}", edge.from, edge.label, edge.to);
    }
    for (look, _) in Look::ALL {
        let (fill, line) = svg::colours(look);
        let _ = writeln!(text, "    classDef {} fill:{fill},stroke:{line},color:#1a1a1a", svg::class(look));
    }
    text
}

#[cfg(test)]
mod tests;
