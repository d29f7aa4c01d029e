//! All lives that there can be: the model alone, in a world that may do anything at any time that a world may do.
//!
//! One container's life is a graph. Its nodes are what the model remembers and what the world owes, in a form in which counts
//! saturate and tickets are used again; its edges are requests, answers of the world (good and bad), timers, ends of
//! processes, a lost keeper, a reboot. The model is asked once for each edge. Several containers are as many tokens on that same graph:
//! they are told apart by nothing, so their order makes no difference, and what they share is only who holds the host port
//! and that the host goes down for all of them.

#[cfg(feature = "explore")]
pub mod explorer;
mod mix;
mod moves;
mod surroundings;

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hash, Hasher as _};
use std::time::Duration;

use self::mix::Mix;
use self::moves::{Kind, Move};
use self::surroundings::Local;
use super::rules::{self, Rule, Tally, Violation};
use crate::model::{ContainerSpec, Freezer, PortBinding, Protocol, RestartPolicy};

/// How far is looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// So many requests may wait for their answers at the same time: one or two.
    pub requests: usize,
    /// So many moves follow each other at most.
    pub depth: usize,
}

impl Reach {
    /// All lives in which nobody asks before the last one who asked has been answered.
    pub const ONE_BY_ONE: Self = Self { requests: 1, depth: usize::MAX };

    /// Lives in which two ask at the same time, so many moves deep.
    pub const fn two_at_once(depth: usize) -> Self {
        Self { requests: 2, depth }
    }
}

/// What was found among all lives of one kind of container.
#[derive(Clone, Debug, Default)]
pub struct Explored {
    /// How many states there are.
    pub states: usize,
    /// How many edges lead from one to another.
    pub edges: usize,
    /// Whether those are all.
    pub complete: bool,
    /// What occurs in them.
    pub tally: Tally,
    /// A rule that is broken, and the moves that lead there.
    pub broken: Option<(Violation, Vec<String>)>,
}

/// The kinds of containers whose lives are explored: every restart policy, a removal by itself, a host port.
pub fn kinds() -> Vec<(&'static str, ContainerSpec)> {
    let that = |restart| ContainerSpec { restart, ..ContainerSpec::default() };
    vec![
        ("restart: no", that(RestartPolicy::No)),
        ("restart: on-failure:2", that(RestartPolicy::OnFailure { max: 2 })),
        ("restart: always", that(RestartPolicy::Always)),
        ("restart: unless-stopped", that(RestartPolicy::UnlessStopped)),
        ("auto_remove: true", ContainerSpec { auto_remove: true, ..ContainerSpec::default() }),
        ("publish: 18081:80", ContainerSpec { publish: vec![published()], ..ContainerSpec::default() }),
    ]
}

/// The port of the host that all containers of a kind want.
const PORT: u16 = 18081;

fn published() -> PortBinding {
    PortBinding { ip: None, host: Some(PORT), container: 80, protocol: Protocol::Tcp }
}

/// The graph of one container's life, as far as it has been walked.
#[derive(Default)]
struct Graph {
    edges: Vec<Vec<Edge>>,
    parents: Vec<Option<(u32, Move)>>,
    /// Whether it holds its host port there.
    holds_port: Vec<bool>,
    /// Whether nobody waits there for an answer that has to come.
    quiet: Vec<bool>,
}

#[derive(Clone, Copy)]
struct Edge {
    to: u32,
    kind: Kind,
}

/// Walks through all lives of one container within reach.
pub fn one(spec: &ContainerSpec, freezer: Freezer, reach: Reach, only: Option<&'static Rule>) -> Explored {
    walk(spec, freezer, reach, only).1
}

fn walk(
    spec: &ContainerSpec,
    freezer: Freezer,
    reach: Reach,
    only: Option<&'static Rule>,
) -> (Graph, Explored) {
    let mut graph = Graph::default();
    let mut found = Explored { complete: true, ..Explored::default() };
    let mut known: HashMap<u64, u32, BuildHasherDefault<Mix>> = HashMap::default();
    let first = Local::new(freezer);
    known.insert(number(&first), 0);
    graph.add(&first, None);
    let mut queue = VecDeque::from([(0_u32, 0_usize, first)]);
    while let Some((from, far, local)) = queue.pop_front() {
        if far >= reach.depth {
            found.complete = false;
            continue;
        }
        for step in local.moves(spec, reach.requests) {
            let (next, broken) = local.after(spec, step, only, &mut found.tally);
            found.edges += 1;
            let known_as = known.get(&number(&next)).copied();
            let to = known_as.unwrap_or_else(|| {
                let to = graph.add(&next, Some((from, step)));
                known.insert(number(&next), to);
                queue.push_back((to, far + 1, next));
                to
            });
            graph.edges[from as usize].push(Edge { to, kind: step.kind() });
            if let Some(violation) = broken {
                let mut path = graph.path(from);
                path.push(step.to_string());
                found.broken = Some((violation, path));
                found.states = graph.edges.len();
                return (graph, found);
            }
        }
    }
    found.states = graph.edges.len();
    if found.complete {
        found.broken = graph.stuck(only);
    }
    (graph, found)
}

fn number(local: &Local) -> u64 {
    let mut mix = Mix::default();
    local.hash(&mut mix);
    mix.finish()
}

impl Graph {
    fn add(&mut self, local: &Local, parent: Option<(u32, Move)>) -> u32 {
        self.edges.push(Vec::new());
        self.parents.push(parent);
        self.holds_port.push(local.holds_port());
        self.quiet.push(local.is_quiet());
        u32::try_from(self.edges.len() - 1).expect("memory ends before")
    }

    /// The moves that lead to a node.
    fn path(&self, node: u32) -> Vec<String> {
        let mut path = Vec::new();
        let mut at = node;
        while let Some((parent, step)) = self.parents[at as usize] {
            path.push(step.to_string());
            at = parent;
        }
        path.reverse();
        path
    }

    /// From everywhere the world can bring it to where every request is answered, without anybody asking for more; if
    /// not, from where it cannot.
    fn stuck(&self, only: Option<&'static Rule>) -> Option<(Violation, Vec<String>)> {
        let rule =
            rules::find("answers-come").filter(|rule| only.is_none_or(|only| only.name == rule.name))?;
        let mut back: Vec<Vec<u32>> = vec![Vec::new(); self.edges.len()];
        for (from, edges) in (0_u32..).zip(&self.edges) {
            for edge in edges.iter().filter(|edge| edge.kind.is_of_the_world()) {
                back[edge.to as usize].push(from);
            }
        }
        let mut reaches = self.quiet.clone();
        let nodes = 0..u32::try_from(reaches.len()).expect("memory ends before");
        let mut queue: Vec<u32> = nodes.filter(|node| reaches[*node as usize]).collect();
        while let Some(node) = queue.pop() {
            for from in &back[node as usize] {
                if !std::mem::replace(&mut reaches[*from as usize], true) {
                    queue.push(*from);
                }
            }
        }
        let stuck = (0_u32..).zip(&reaches).find(|(_, reaches)| !**reaches)?.0;
        let seen = "whatever the world does, a request is never answered".to_owned();
        Some((Violation { rule, container: None, at: Duration::ZERO, seen }, self.path(stuck)))
    }
}

/// What was found of several containers side by side.
#[derive(Clone, Copy, Debug, Default)]
pub struct Several {
    /// How many states, whatever the order of the containers.
    pub states: usize,
    /// How many edges were walked.
    pub edges: usize,
}

/// Walks so many containers of the same kind, which all want the same host port, so many moves deep.
pub fn several(
    spec: &ContainerSpec,
    freezer: Freezer,
    count: usize,
    depth: usize,
    mut progress: impl FnMut(usize, usize),
) -> Several {
    let (graph, _) = walk(spec, freezer, Reach::two_at_once(depth), None);
    let mut found = Several { states: 1, edges: 0 };
    let first: Tokens = std::array::from_fn(|nth| if nth < count { 0 } else { NOBODY });
    let mut known: HashSet<u128, BuildHasherDefault<Mix>> = HashSet::default();
    known.insert(packed(first));
    let mut layer = vec![first];
    for far in 0..depth {
        let mut next = Vec::new();
        for tokens in layer {
            for nth in 0..count {
                // Of several that stand on the same node, one is enough.
                if nth > 0 && tokens[nth] == tokens[nth - 1] {
                    continue;
                }
                for edge in &graph.edges[tokens[nth] as usize] {
                    let moved = match edge.kind {
                        // It goes down for all of them; the first one that is there tells it.
                        Kind::Host if tokens[..nth].iter().any(|token| graph.rebooted(*token).is_some()) => {
                            continue;
                        }
                        Kind::Host => all_reboot(&graph, tokens, count),
                        kind if kind.is_open(graph.is_port_held(tokens, count, nth)) => {
                            with(tokens, nth, edge.to)
                        }
                        _ => continue,
                    };
                    found.edges += 1;
                    let sorted = sorted(moved, count);
                    if known.insert(packed(sorted)) {
                        next.push(sorted);
                    }
                }
            }
        }
        found.states += next.len();
        progress(far + 1, found.states);
        layer = next;
    }
    found
}

/// Where each container stands. There are four at most.
type Tokens = [u32; 4];
const NOBODY: u32 = u32::MAX;

fn with(mut tokens: Tokens, nth: usize, to: u32) -> Tokens {
    tokens[nth] = to;
    tokens
}

fn sorted(mut tokens: Tokens, count: usize) -> Tokens {
    tokens[..count].sort_unstable();
    tokens
}

fn packed(tokens: Tokens) -> u128 {
    tokens.iter().fold(0, |packed, token| (packed << 32) | u128::from(*token))
}

fn all_reboot(graph: &Graph, mut tokens: Tokens, count: usize) -> Tokens {
    for token in &mut tokens[..count] {
        *token = graph.rebooted(*token).unwrap_or(*token);
    }
    tokens
}

impl Graph {
    /// Where a reboot leads from a node, if there is anything to reboot.
    fn rebooted(&self, node: u32) -> Option<u32> {
        self.edges[node as usize].iter().find(|edge| edge.kind == Kind::Host).map(|edge| edge.to)
    }

    fn is_port_held(&self, tokens: Tokens, count: usize, besides: usize) -> bool {
        (0..count).any(|nth| nth != besides && self.holds_port[tokens[nth] as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::moves::Request;
    use super::*;

    /// Deep enough for two to want the one port at the same time.
    const DEPTH: usize = 11;

    #[test]
    fn two_side_by_side_have_the_states_that_they_have_in_both_orders() {
        let (_, spec) = kinds().pop().expect("there are some");
        let (graph, _) = walk(&spec, Freezer::CgroupV1, Reach::two_at_once(DEPTH), None);
        let in_both_orders = |port_is_shared: bool| {
            let mut known = HashSet::from([(0, 0)]);
            let mut layer = vec![(0, 0)];
            for _ in 0..DEPTH {
                let after = |(one, other)| {
                    let one_moves = after_a_move_of(&graph, one, other, port_is_shared);
                    let other_moves = after_a_move_of(&graph, other, one, port_is_shared);
                    one_moves.into_iter().chain(other_moves.into_iter().map(|(other, one)| (one, other)))
                };
                layer = layer.into_iter().flat_map(after).filter(|pair| known.insert(*pair)).collect();
            }
            known
                .into_iter()
                .map(|(one, other)| (one.min(other), one.max(other)))
                .collect::<HashSet<_>>()
                .len()
        };
        let found = several(&spec, Freezer::CgroupV1, 2, DEPTH, |_, _| {});
        assert_eq!(found.states, in_both_orders(true));
        assert!(in_both_orders(true) < in_both_orders(false), "nobody waits for the port");
    }

    /// Where two can stand after the first has moved: a reboot moves both, and the port is given to one alone.
    fn after_a_move_of(graph: &Graph, one: u32, other: u32, port_is_shared: bool) -> Vec<(u32, u32)> {
        let rebooted = graph.rebooted(other).unwrap_or(other);
        let is_taken = port_is_shared && graph.holds_port[other as usize];
        graph.edges[one as usize]
            .iter()
            .filter(|edge| edge.kind != Kind::PortGiven || !is_taken)
            .map(|edge| (edge.to, if edge.kind == Kind::Host { rebooted } else { other }))
            .collect()
    }

    #[test]
    fn where_the_world_alone_leads_to_no_answer_a_life_is_stuck() {
        let mut graph = Graph {
            edges: vec![
                vec![Edge { to: 1, kind: Kind::Asked }],
                vec![Edge { to: 0, kind: Kind::World }, Edge { to: 2, kind: Kind::Lost }],
                vec![Edge { to: 0, kind: Kind::Asked }],
            ],
            parents: vec![None, Some((0, Move::Ask(Request::Stop))), Some((1, Move::Keeper))],
            holds_port: vec![false; 3],
            quiet: vec![true, false, false],
        };
        let (violation, path) = graph.stuck(None).expect("the last one waits for somebody to ask");
        assert_eq!(violation.rule.name, "answers-come");
        assert_eq!(path, ["somebody asks: Stop", "the keeper is killed"]);
        assert!(graph.stuck(rules::find("stop-ends")).is_none());
        assert!(graph.stuck(rules::find("answers-come")).is_some());
        graph.edges[2][0].kind = Kind::World;
        assert!(graph.stuck(None).is_none());
    }
}
