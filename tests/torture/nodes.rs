//! The rounds of several nodes on one PostgreSQL: people ask any node at any time, and nodes, PostgreSQL, NATS and the ways between
//! them break. `make torture NODES=3 ROUNDS=300` runs it for long.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::breakage::{Breakage, Broken};
use super::chance::Chance;
use super::everybody::Torture;
use super::machine::Nodes;
use super::world::World;
use super::{nodes_or, rounds_or};
use crate::support::wait_for;

const NODES: usize = 3;
const ROUNDS: usize = 10;
/// After so many rounds there is a calm moment, in a short run and in a long one.
const CALM_EVERY: (usize, usize) = (4, 10);
/// In so many rounds there is time once for what takes long.
const LONG: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_reordered_while_nodes_and_what_they_share_break() {
    let (count, rounds) = (nodes_or(NODES), rounds_or(ROUNDS));
    let (world, mut chance) = (World::new(), Chance::printed("torture of nodes"));
    let env = [
        // Longer than anything that keeps an answer back, so that nobody comes with a token that was spent long ago.
        ("PARLOR_AUTH__ACCESS_TOKEN_SECONDS", if rounds < LONG { "6" } else { "40" }),
        // Pests never finish a request, so every stop waits for all of it.
        ("PARLOR_SERVER__SHUTDOWN_SECONDS", "2"),
        ("PARLOR_LOG", "warn"),
    ];
    let nodes = Nodes::many(count, &env, &world, &mut chance).await;
    let mut torture = Torture::begins(nodes, world, chance).await;
    let calm_every = if rounds < LONG { CALM_EVERY.0 } else { CALM_EVERY.1 };
    let begun = Instant::now();
    for round in 1..=rounds {
        torture.round_of_nodes(round).await;
        if round % calm_every == 0 {
            torture.calms_down(&format!("calm after round {round}")).await;
        }
        if round % 50 == 0 {
            println!("round {round} of {rounds}, {} s", begun.elapsed().as_secs());
        }
    }
    let report = torture.ends().await;
    let line =
        format!("torture of {count} nodes, {rounds} rounds in {} s: {report:?}", begun.elapsed().as_secs());
    println!("{line}");
    assert!(report.acknowledged > rounds * 10, "too little was written to prove anything: {line}");
    assert!(report.resumes > rounds * 3, "too little was resumed to prove anything: {line}");
    assert!(rounds < LONG || report.broken.long_pauses > 0, "no node slept for long: {line}");
    assert_eq!(report.broken_promises(), 0, "{line}");
}

impl Torture {
    /// Some hundred attempts at all nodes while one or two things break.
    async fn round_of_nodes(&mut self, round: usize) {
        let enough = self.begins_round();
        let (world, count) = (self.world.clone(), self.nodes.all.len());
        let number = self.chance.index(count);
        let has_nats = self.nodes.nats.is_some();
        let breakage = match round % LONG {
            50 => Breakage::LongPause,
            0 => Breakage::LoseLink,
            _ => Breakage::draw(&mut self.chance, has_nats),
        };
        let second = Breakage::draw(&mut self.chance, has_nats);
        let two = count > 1 && self.chance.one_in(3) && breakage.is_of_one_node() && second.is_of_one_node();
        let posts = if self.chance.one_in(8) { 100 + self.chance.index(300) } else { 0 };
        let (mut own, mut others) = (self.chance.fork(), self.chance.fork());
        let Self { nodes, burster, report, .. } = self;
        let mut of_second = Broken::default();
        let breaks = async {
            let had = || async { world.outcomes.load(Ordering::Relaxed) >= enough };
            wait_for("people have their answers", had).await;
            World::passes(own.micros(0..100_000)).await;
            if two {
                let other = (number + 1 + own.index(count - 1)) % count;
                let [one, two] = nodes.all.get_disjoint_mut([number, other]).expect("they are two");
                tokio::join!(
                    one.suffers(breakage, number, (&world, &mut own, &mut report.broken)),
                    two.suffers(second, other, (&world, &mut others, &mut of_second)),
                );
            } else {
                nodes.suffer(breakage, number, (&world, &mut own, &mut report.broken)).await;
            }
        };
        tokio::join!(breaks, burster.bursts(&world, posts));
        report.broken.add(&of_second);
        self.nobody_fell();
    }
}
