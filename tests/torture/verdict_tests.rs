//! The verdict on streams whose faults are known: a judge that finds nothing wrong proves nothing until it was seen to find
//! each thing that can be wrong.

use super::reader::{Shown, Stretch};
use super::truth::Truth;
use super::verdict::{Report, Told};

/// Bob joins, leaves and joins room `a` again; room `b` he never leaves; of room `c` he is no member.
fn truth() -> Truth {
    Truth::made_up(&[
        ("a", "room.created", None),         // 0: a1
        ("a", "member.joined", Some("ada")), // 1: a2
        ("b", "member.joined", Some("bob")), // 2: b1
        ("a", "member.joined", Some("bob")), // 3: a3
        ("a", "message.posted", None),       // 4: a4
        ("b", "message.posted", None),       // 5: b2
        ("a", "message.posted", None),       // 6: a5
        ("a", "message.posted", None),       // 7: a6
        ("a", "member.left", Some("bob")),   // 8: a7
        ("a", "message.posted", None),       // 9: a8
        ("c", "message.posted", None),       // 10: c1
        ("b", "message.posted", None),       // 11: b3
        ("a", "member.joined", Some("bob")), // 12: a9
        ("a", "message.posted", None),       // 13: a10
        ("b", "message.posted", None),       // 14: b4
    ])
}

/// Everything that bob's own stream can show.
const OWN: [usize; 12] = [2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, usize::MAX];

/// The verdict on a stream of bob's that showed the events at these places; each stretch says where it began, and when.
fn verdict(room: Option<&str>, places: &[usize], stretches: &[(usize, &str)]) -> Report {
    let truth = truth();
    let shown = |place: &usize| {
        let entry = &truth.entries[*place];
        Shown { room: entry.room.clone(), seq: entry.seq, digest: entry.digest }
    };
    let shown: Vec<_> = places.iter().map(shown).collect();
    let stretch =
        |(from, at): &(usize, &str)| Stretch { from: *from, opened_at: (*at).to_owned(), bye: None };
    let stretches: Vec<_> = stretches.iter().map(stretch).collect();
    let mut report = Report::default();
    report.compare(&truth, &Told { name: "bob", own: "bob", room, shown: &shown, stretches: &stretches });
    report
}

fn own(without: &[usize]) -> Vec<usize> {
    OWN[..11].iter().copied().filter(|place| !without.contains(place)).collect()
}

fn found(report: &Report) -> [usize; 6] {
    let Report { gaps, repeats, reorders, wrong, after_removal, withheld, .. } = *report;
    [gaps, repeats, reorders, wrong, after_removal, withheld]
}

#[test]
fn what_must_be_shown_is_found_right() {
    assert_eq!(found(&verdict(None, &own(&[]), &[(0, "")])), [0; 6]);
    let of_room: Vec<_> = [0, 1, 3, 4, 6, 7, 8, 9, 12, 13].into();
    assert_eq!(found(&verdict(Some("a"), &of_room, &[(0, "9999")])), [0; 6]);
}

#[test]
fn what_was_withheld_before_a_removal_is_right_and_a_gap_elsewhere_is_not() {
    assert_eq!(found(&verdict(None, &own(&[7]), &[(0, "")])), [0, 0, 0, 0, 0, 1]);
    assert_eq!(found(&verdict(None, &own(&[4, 6, 7]), &[(0, "")])), [0, 0, 0, 0, 0, 3]);
    // With something behind the gap, it was not the removal that withheld.
    assert_eq!(found(&verdict(None, &own(&[6]), &[(0, "")])), [1, 0, 0, 0, 0, 1]);
    // The removal itself, a room that was not left, and the present membership.
    assert_eq!(found(&verdict(None, &own(&[8]), &[(0, "")]))[0], 1);
    assert_eq!(found(&verdict(None, &own(&[5]), &[(0, "")]))[0], 1);
    assert_eq!(found(&verdict(None, &own(&[13]), &[(0, "")]))[0], 1);
    assert_eq!(found(&verdict(None, &own(&[14]), &[(0, "")]))[0], 1, "at the end, too");
}

#[test]
fn repeats_reorders_and_what_is_not_for_this_reader_are_found() {
    let mut places = own(&[]);
    places.insert(5, places[4]);
    assert_eq!(found(&verdict(None, &places, &[(0, "")])), [0, 1, 0, 0, 0, 0]);
    let mut places = own(&[]);
    places.swap(2, 3);
    assert_eq!(found(&verdict(None, &places, &[(0, "")])), [0, 0, 1, 0, 0, 0]);
    // Of a room that the reader is not in, and from before the join.
    for foreign in [10, 1] {
        let mut places = own(&[]);
        places.push(foreign);
        assert_eq!(found(&verdict(None, &places, &[(0, "")])), [0, 0, 0, 1, 0, 0], "{foreign}");
    }
    // From the time of an absence.
    let mut places = own(&[]);
    places.push(9);
    assert_eq!(found(&verdict(None, &places, &[(0, "")])), [0, 0, 0, 0, 1, 0]);
}

#[test]
fn an_event_that_differs_from_the_log_is_found() {
    let truth = truth();
    let wrong = Shown { room: "b".into(), seq: 1, digest: 77 };
    let mut report = Report::default();
    let told = Told { name: "bob", own: "bob", room: Some("b"), shown: &[wrong], stretches: &[] };
    report.compare(&truth, &told);
    assert_eq!((report.wrong, report.gaps), (1, 3));
}

#[test]
fn a_room_that_goes_on_behind_the_readers_removal_is_found() {
    let of_room: Vec<_> = [0, 1, 3, 4, 6, 7, 8, 9, 12, 13].into();
    // In a stream that was open before the removal, what comes after it is wrong. In one that was opened later it is history.
    assert_eq!(found(&verdict(Some("a"), &of_room, &[(0, "0002")])), [0, 0, 0, 0, 1, 0]);
    assert_eq!(found(&verdict(Some("a"), &of_room, &[(0, "0002"), (7, "0012")])), [0; 6]);
}
