//! The rounds of one node on SQLite: connections break, and the process is stopped, swamped and killed.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::chance::Chance;
use super::everybody::Torture;
use super::machine::Nodes;
use super::rounds_or;
use super::world::World;
use crate::support::wait_for;

const ROUNDS: usize = 25;
/// After so many rounds there is a calm moment.
const CALM_EVERY: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_reordered_while_everything_breaks() {
    let rounds = rounds_or(ROUNDS);
    let (world, mut chance) = (World::new(), Chance::printed("torture"));
    // Short, so that tokens expire in the middle of everything; longer where pages upon pages are read at the end.
    let token_seconds = if rounds > 5 * ROUNDS { "30" } else { "6" };
    let env = [
        ("PARLOR_AUTH__ACCESS_TOKEN_SECONDS", token_seconds),
        // Pests never finish a request, so every stop waits for all of it.
        ("PARLOR_SERVER__SHUTDOWN_SECONDS", "2"),
        ("PARLOR_LOG", "warn"),
    ];
    let nodes = Nodes::one(&env, &world, &mut chance).await;
    let mut torture = Torture::begins(nodes, world, chance).await;
    let begun = Instant::now();
    for round in 1..=rounds {
        torture.round().await;
        if round % CALM_EVERY == 0 {
            torture.calms_down(&format!("calm after round {round}")).await;
        }
        if round % 100 == 0 {
            // What became of it all is looked at in the end.
            println!("round {round} of {rounds}, {} s", begun.elapsed().as_secs());
        }
    }
    let report = torture.ends().await;
    let line = format!("torture, {rounds} rounds in {} s: {report:?}", begun.elapsed().as_secs());
    println!("{line}");
    assert_eq!(report.broken.kills, rounds);
    assert!(report.acknowledged > rounds * 10, "too little was written to prove anything: {line}");
    assert!(report.resumes > rounds * 10, "too little was resumed to prove anything: {line}");
    assert_eq!(report.broken_promises(), 0, "{line}");
}

impl Torture {
    /// Some hundred attempts under every fault that is drawn, then the kill and the next start.
    async fn round(&mut self) {
        let enough = self.begins_round();
        let (world, server) = (self.world.clone(), &mut self.nodes.all[0].server);
        let had = || async { world.outcomes.load(Ordering::Relaxed) >= enough };
        if self.chance.one_in(8) {
            let posts = 100 + self.chance.index(300);
            // The kill comes anywhere in the middle of them.
            let bursting = self.burster.bursts(&world, posts);
            let kill = async {
                wait_for("people have their answers", had).await;
                World::passes(self.chance.micros(0..300_000)).await;
                server.restart().await;
            };
            tokio::join!(bursting, kill);
        } else {
            if self.chance.one_in(4) {
                server.pause();
                World::passes(self.chance.micros(2_000..300_000)).await;
                server.go_on();
                self.report.broken.pauses += 1;
            }
            wait_for("people have their answers", had).await;
            World::passes(self.chance.micros(0..30_000)).await;
            if self.chance.one_in(60) {
                assert!(server.stop().await.success());
                self.report.broken.stops += 1;
                server.restart().await;
            }
            server.restart().await;
        }
        self.report.broken.kills += 1;
        self.nobody_fell();
    }
}
