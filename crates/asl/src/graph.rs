//! A flow as a graph: its states and how they lead to each other.

use std::sync::Arc;

use crate::{Flow, Kind, State};

/// The graph of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// Where it begins.
    pub start_at: String,
    /// Its states, in the order of the text.
    pub nodes: Vec<Node>,
    /// Its transitions.
    pub edges: Vec<Edge>,
}

/// A state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its `Type`.
    pub kind: &'static str,
    /// The flows inside of it: a Parallel's branches, a Map's processor.
    pub flows: Vec<Graph>,
}

/// A transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The state it leaves.
    pub from: String,
    /// The state it leads to.
    pub to: String,
    /// What makes it happen.
    pub label: Label,
}

/// What makes a transition happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// `Next`.
    Next,
    /// A Choice's `Default`.
    Default,
    /// The Choice rule of this number, from 0.
    Choice(usize),
    /// A catcher of these errors.
    Catch(Vec<String>),
}

impl Graph {
    /// The graph of a flow and of the flows inside of its states.
    pub fn of(flow: &Flow) -> Graph {
        let states = || flow.states.values();
        Graph {
            start_at: flow.start_at.clone(),
            nodes: states().map(node).collect(),
            edges: states().flat_map(edges).collect(),
        }
    }
}

fn node(state: &Arc<State>) -> Node {
    Node {
        name: state.name.clone(),
        kind: state.type_name(),
        flows: state.flows().iter().map(|flow| Graph::of(flow)).collect(),
    }
}

fn edges(state: &Arc<State>) -> Vec<Edge> {
    let edge = |to: &String, label| Edge { from: state.name.clone(), to: to.clone(), label };
    let mut edges: Vec<Edge> = state.next.iter().map(|to| edge(to, Label::Next)).collect();
    if let Kind::Choice(choice) = &state.kind {
        edges.extend(choice.rules.iter().enumerate().map(|(index, rule)| edge(&rule.next, Label::Choice(index))));
        edges.extend(choice.default.iter().map(|to| edge(to, Label::Default)));
    }
    edges.extend(state.catch.iter().map(|catcher| edge(&catcher.next, Label::Catch(catcher.error_equals.clone()))));
    edges
}
