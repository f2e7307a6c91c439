//! What a stream shows, while its reader comes and goes, and the log grows, runs over and ends: each event exactly once and
//! in order, and nothing that is not for this reader.

use std::sync::Arc;

use shuttle::thread;
use tokio_util::sync::CancellationToken;

use super::explore;
use super::node::{HOME, Node, OTHER, Step};
use crate::domain::ids::{Position, RoomId};
use crate::live::scope::Scope;
use crate::live::writer::mailbox::Mailbox;
use crate::live::writer::note::Note;

/// Orders of each kind that are tried.
const ORDERS: usize = 500;
const START: Option<Position> = Some(Position(0));
const NOW: Option<Position> = None;

/// Runs a node with so many writers while people read; then all places have to be free again.
fn run<const WRITERS: usize>(
    rooms: &[RoomId],
    steps: &'static [Step],
    people: impl FnOnce(&Arc<Node>, [Arc<Mailbox<Note>>; WRITERS]) -> Vec<thread::JoinHandle<()>>,
) {
    run_on(&Node::new(rooms), steps, people);
}

fn run_on<const WRITERS: usize>(
    node: &Arc<Node>,
    steps: &'static [Step],
    people: impl FnOnce(&Arc<Node>, [Arc<Mailbox<Note>>; WRITERS]) -> Vec<thread::JoinHandle<()>>,
) {
    let finish = CancellationToken::new();
    let writers: [_; WRITERS] = std::array::from_fn(|_| node.writer(&finish));
    let mailboxes = writers.each_ref().map(|(mailbox, _)| mailbox.clone());
    node.commit(steps);
    for person in people(node, mailboxes) {
        person.join().expect("a reader is done");
    }
    finish.cancel();
    for (_, writer) in writers {
        writer.join().expect("a writer is done");
    }
    assert_eq!(node.parts.meters.open.get(), 0, "streams that are still open");
}

/// Somebody who reads to the end, leaves after each few events and comes back with the cursor of the last one.
fn reads(
    node: &Arc<Node>,
    mailbox: &Arc<Mailbox<Note>>,
    begin: (Scope, Option<Position>),
    wants: (usize, &'static [i64]),
) -> thread::JoinHandle<()> {
    reads_with_passing(node, mailbox, begin, wants, &[])
}

/// The same where some events may be missing, because others have taken their place in the log before they were read there.
fn reads_with_passing(
    node: &Arc<Node>,
    mailbox: &Arc<Mailbox<Note>>,
    (scope, mut after): (Scope, Option<Position>),
    (patience, shown): (usize, &'static [i64]),
    passing: &'static [i64],
) -> thread::JoinHandle<()> {
    let (node, mailbox) = (node.clone(), mailbox.clone());
    thread::spawn(move || {
        let last = shown.last().copied().unwrap_or(0);
        let (mut given, mut start) = (Vec::new(), None);
        while after.is_none_or(|after| after.0 < last) {
            let stream = node.open(scope, after, &mailbox).expect("nobody is sent away");
            start = start.or(Some(stream.from));
            after = Some(stream.from);
            for _ in 0..patience {
                if after.is_some_and(|after| after.0 >= last) {
                    break;
                }
                let Some(next) = stream.next() else {
                    assert!(!node.lives.is_empty(), "the stream does not end");
                    break;
                };
                after = Some(next);
                given.push(next.0);
            }
        }
        let start = start.map_or(0, |start| start.0);
        let is_due =
            |position: &i64| *position > start && (!passing.contains(position) || given.contains(position));
        let expected: Vec<_> = shown.iter().copied().filter(is_due).collect();
        assert_eq!(given, expected, "after {start}");
    })
}

/// Somebody who reads until the stream ends by itself, and gets nothing but this.
fn reads_out(
    node: &Arc<Node>,
    mailbox: &Arc<Mailbox<Note>>,
    scope: Scope,
    shown: &'static [i64],
) -> thread::JoinHandle<()> {
    let (node, mailbox) = (node.clone(), mailbox.clone());
    thread::spawn(move || {
        let Some(stream) = node.open(scope, None, &mailbox) else { return };
        let given: Vec<_> = std::iter::from_fn(|| stream.next()).map(|position| position.0).collect();
        let expected = shown.iter().copied().filter(|position| *position > stream.from.0);
        let expected: Vec<_> = expected.take(given.len()).collect();
        assert_eq!(given, expected, "after {}", stream.from.0);
    })
}

#[test]
fn a_room_is_shown_whole_to_all_who_come_and_go() {
    use Step::Posts;
    const STEPS: &[Step] = &[
        Posts(&[HOME]),
        Posts(&[HOME, HOME]),
        Posts(&[OTHER]),
        Posts(&[HOME]),
        Posts(&[HOME]),
        Posts(&[HOME]),
    ];
    const SHOWN: &[i64] = &[1, 2, 3, 5, 6, 7];
    explore(ORDERS, || {
        run(&[HOME], STEPS, |node, [writer]| {
            let room = Scope::Room(HOME);
            vec![
                reads(node, &writer, (room, START), (2, SHOWN)),
                reads(node, &writer, (room, NOW), (3, SHOWN)),
            ]
        });
    });
}

#[test]
fn a_room_is_shown_whole_by_every_writer() {
    use Step::Posts;
    const STEPS: &[Step] = &[Posts(&[HOME]), Posts(&[HOME]), Posts(&[HOME]), Posts(&[HOME]), Posts(&[HOME])];
    const SHOWN: &[i64] = &[1, 2, 3, 4, 5];
    explore(ORDERS, || {
        run(&[HOME], STEPS, |node, [one, two]| {
            let room = Scope::Room(HOME);
            vec![reads(node, &one, (room, NOW), (1, SHOWN)), reads(node, &two, (room, START), (2, SHOWN))]
        });
    });
}

#[test]
fn rooms_are_shown_in_the_order_of_the_log() {
    use Step::{Posts, Renames};
    const STEPS: &[Step] = &[
        Posts(&[HOME, OTHER]),
        Posts(&[OTHER]),
        Renames(HOME),
        Posts(&[HOME]),
        Posts(&[OTHER, HOME]),
        Posts(&[OTHER]),
    ];
    const SHOWN: &[i64] = &[1, 2, 3, 4, 5, 6, 7, 8];
    explore(ORDERS, || {
        run(&[HOME, OTHER], STEPS, |node, [writer]| {
            vec![
                reads(node, &writer, (Scope::Person, START), (5, SHOWN)),
                reads(node, &writer, (Scope::Person, NOW), (8, SHOWN)),
            ]
        });
    });
}

/// The log keeps the newest mark of a room alone, so its positions have holes, and the log ends beyond what it had at first.
#[test]
fn no_mark_that_stays_in_the_log_is_missed() {
    use Step::{Marks, Posts};
    const STEPS: &[Step] = &[
        Posts(&[HOME, OTHER]),
        Marks(HOME),
        Posts(&[HOME]),
        Marks(OTHER),
        Marks(HOME),
        Posts(&[OTHER, HOME]),
        Marks(HOME),
    ];
    explore(2 * ORDERS, || {
        run(&[HOME, OTHER], STEPS, |node, [one, two]| {
            vec![
                reads_with_passing(node, &one, (Scope::Room(HOME), START), (3, &[1, 3, 4, 6, 8, 9]), &[3, 6]),
                reads_with_passing(
                    node,
                    &one,
                    (Scope::Person, NOW),
                    (4, &[1, 2, 3, 4, 5, 6, 7, 8, 9]),
                    &[3, 6],
                ),
                reads_with_passing(node, &two, (Scope::Room(HOME), NOW), (9, &[1, 3, 4, 6, 8, 9]), &[3, 6]),
            ]
        });
    });
}

/// Answers that were on their way to a writer come to the one in its place, which has given their streams' places to others.
#[test]
fn nothing_is_missed_or_mistaken_when_a_writer_is_replaced() {
    use Step::Posts;
    const STEPS: &[Step] =
        &[Posts(&[OTHER]), Posts(&[HOME, OTHER]), Posts(&[OTHER]), Posts(&[HOME]), Posts(&[OTHER, HOME])];
    explore(2 * ORDERS, || {
        let node = Node::with_writers_that_last(&[2, 3, 4], &[HOME, OTHER]);
        run_on(&node, STEPS, |node, [writer]| {
            vec![
                reads(node, &writer, (Scope::Person, START), (3, &[1, 2, 3, 4, 5, 6, 7])),
                reads(node, &writer, (Scope::Room(HOME), START), (2, &[2, 5, 7])),
                reads(node, &writer, (Scope::Room(OTHER), NOW), (2, &[1, 3, 4, 6])),
            ]
        });
    });
}

#[test]
fn a_room_is_shown_from_its_join_on() {
    use Step::{Joins, Posts};
    const STEPS: &[Step] = &[
        Posts(&[OTHER]),
        Joins(OTHER),
        Posts(&[OTHER]),
        Posts(&[HOME, OTHER]),
        Posts(&[OTHER]),
        Posts(&[OTHER]),
        Posts(&[OTHER]),
    ];
    const SHOWN: &[i64] = &[2, 3, 4, 5, 6, 7, 8];
    explore(2 * ORDERS, || {
        run(&[HOME], STEPS, |node, [writer]| vec![reads(node, &writer, (Scope::Person, START), (8, SHOWN))]);
    });
}

#[test]
fn nothing_of_a_room_comes_after_its_reader_has_left() {
    use Step::{Leaves, Posts};
    const STEPS: &[Step] = &[Posts(&[HOME]), Posts(&[HOME]), Leaves(HOME), Posts(&[HOME]), Posts(&[HOME])];
    explore(ORDERS, || {
        run(&[HOME], STEPS, |node, [writer]| vec![reads_out(node, &writer, Scope::Room(HOME), &[1, 2, 3])]);
    });
}

/// Somebody who reads until the stream has shown the removal at this position, or has ended. Up to the first position, what
/// it shows are the reader's own memberships, which are never withheld.
fn reads_until_removed(
    node: &Arc<Node>,
    mailbox: &Arc<Mailbox<Note>>,
    scope: Scope,
    (own, removal): (i64, i64),
) -> thread::JoinHandle<()> {
    let (node, mailbox) = (node.clone(), mailbox.clone());
    thread::spawn(move || {
        let Some(stream) = node.open(scope, START, &mailbox) else { return };
        let (mut last, mut late) = (0, 0);
        loop {
            let knows = node.knows() >= removal;
            let Some(Position(next)) = stream.next() else { return };
            assert!(last < next && next <= removal, "{next} after {last}");
            if next == removal {
                return;
            }
            last = next;
            late += u32::from(knows && next > own);
            // One may be on its way to the reader while the node learns of the removal.
            assert!(late <= 1, "{next} was given after the node knew of the removal at {removal}");
        }
    })
}

#[test]
fn nothing_of_a_deleted_room_is_given_once_the_node_knows_of_it() {
    use Step::{Deletes, Posts};
    const STEPS: &[Step] =
        &[Posts(&[HOME]), Posts(&[HOME, HOME]), Posts(&[HOME]), Posts(&[HOME]), Deletes(HOME)];
    explore(2 * ORDERS, || {
        run(&[HOME], STEPS, |node, [writer]| {
            let room = reads_until_removed(node, &writer, Scope::Room(HOME), (0, 6));
            vec![room, reads_until_removed(node, &writer, Scope::Person, (0, 6))]
        });
    });
}

#[test]
fn a_room_that_is_deleted_while_its_join_is_on_its_way_shows_nothing_of_what_was_said() {
    use Step::{Deletes, Joins, Posts};
    const STEPS: &[Step] =
        &[Joins(OTHER), Posts(&[OTHER]), Posts(&[OTHER, OTHER]), Deletes(OTHER), Posts(&[HOME])];
    explore(2 * ORDERS, || {
        run(&[HOME], STEPS, |node, [writer]| {
            vec![
                reads_until_removed(node, &writer, Scope::Person, (1, 5)),
                reads_until_removed(node, &writer, Scope::Person, (1, 5)),
            ]
        });
    });
}

#[test]
fn a_removal_that_is_heard_late_does_not_hide_the_deletion_after_it() {
    use Step::{Deletes, Joins, Leaves, Posts};
    // A stream that was registered before the reader left, and may read all rooms since the join, hears of the deletion from
    // the chain, and of the leave from its handle after that.
    const STEPS: &[Step] =
        &[Posts(&[HOME]), Leaves(HOME), Joins(HOME), Posts(&[HOME, HOME]), Posts(&[HOME]), Deletes(HOME)];
    explore(10 * ORDERS, || {
        run(&[HOME], STEPS, |node, [writer]| {
            vec![reads_until_removed(node, &writer, Scope::Room(HOME), (0, 7))]
        });
    });
}

#[test]
fn a_stream_ends_with_its_session() {
    use Step::{Posts, SignsOut};
    const STEPS: &[Step] = &[Posts(&[HOME]), SignsOut, Posts(&[HOME])];
    explore(ORDERS, || {
        run(&[HOME], STEPS, |node, [writer]| {
            let room = reads_out(node, &writer, Scope::Room(HOME), &[1, 2]);
            vec![room, reads_out(node, &writer, Scope::Person, &[1, 2])]
        });
    });
}
