//! The verdict: what people noted, held against the log. A stream must be what the design says that a stream shows, over all
//! its connections together, and each connection by itself must not show a room behind the reader's removal.

use std::collections::{HashMap, HashSet};

use super::breakage::Broken;
use super::deletion::Demolisher;
use super::guest::{Guest, Visit};
use super::mover::Mover;
use super::reader::{Reader, Shown, Stretch};
use super::truth::{Entry, Truth};
use super::writer::{Outcome, Writer, by_author_and_body};

/// What one reader noted of one stream.
pub struct Told<'r> {
    pub name: &'r str,
    /// The reader's id.
    pub own: &'r str,
    /// The room, or none for the reader's own stream.
    pub room: Option<&'r str>,
    pub shown: &'r [Shown],
    pub stretches: &'r [Stretch],
}

/// What a stream must or may show, in its order.
struct Visible {
    place: usize,
    /// The stretch of membership that this lies in; what is left of one when it ends may be withheld.
    stay: Option<usize>,
}

/// Room, id and seq of a message in the log.
type Stored<'t> = (&'t str, &'t str, i64);

/// What is said at the end; every field is read by its name in the printed line.
#[derive(Debug, Default)]
#[allow(dead_code, reason = "printed as a whole")]
pub struct Report {
    pub broken: Broken,
    pub attempted: usize,
    pub acknowledged: usize,
    pub refused: usize,
    pub in_doubt: usize,
    pub stored: usize,
    pub lost: usize,
    pub doubled: usize,
    pub never_attempted: usize,
    /// Posts that were refused and are stored nevertheless, and joins or deletions that were acknowledged but are not in the log.
    pub untrue: usize,
    pub seq_holes: usize,
    pub streams: usize,
    pub shown: usize,
    pub resumes: usize,
    pub gaps: usize,
    pub repeats: usize,
    pub reorders: usize,
    /// Events that the reader must not see, or that are not in the log as they were shown.
    pub wrong: usize,
    /// Events that a reader was shown after they were removed, or after their session had ended.
    pub after_removal: usize,
    pub resets: usize,
    pub sign_outs: usize,
    /// Left out before a removal, as it must be.
    pub withheld: usize,
    pub renewals: usize,
    pub lost_renewals: usize,
}

impl Report {
    /// How often a promise was broken; the line names each.
    pub fn broken_promises(&self) -> usize {
        let Self { lost, doubled, never_attempted, untrue, seq_holes, .. } = self;
        let Self { gaps, repeats, reorders, wrong, after_removal, resets, .. } = self;
        let of_the_log = [lost, doubled, never_attempted, untrue, seq_holes];
        let of_streams = [gaps, repeats, reorders, wrong, after_removal, resets];
        of_the_log.into_iter().chain(of_streams).sum()
    }

    pub fn judge_writers(&mut self, truth: &Truth, writers: &[Writer], others: &HashSet<String>) {
        let attempts = by_author_and_body(writers);
        let mut stored: HashMap<(String, String), Vec<Stored>> = HashMap::new();
        for entry in &truth.entries {
            let Some(said) = entry.said.as_ref().filter(|said| !others.contains(&said.author)) else {
                continue;
            };
            let key = (said.author.clone(), said.body.clone());
            stored.entry(key).or_default().push((&entry.room, &said.id, entry.seq));
            self.stored += 1;
        }
        self.attempted += attempts.len();
        for (key, attempt) in &attempts {
            let found = stored.get(key).map_or(&[][..], Vec::as_slice);
            self.doubled += found.len().saturating_sub(1);
            match &attempt.outcome {
                Outcome::Ok(id, seq) => {
                    self.acknowledged += 1;
                    let is_there = found.contains(&(&attempt.room, id, *seq));
                    self.lost += counts(!is_there, || format!("acknowledged, but absent: {attempt:?}"));
                }
                Outcome::Refused => {
                    self.refused += 1;
                    self.untrue += counts(!found.is_empty(), || format!("refused, but stored: {attempt:?}"));
                }
                Outcome::Unknown => self.in_doubt += 1,
            }
        }
        self.never_attempted += stored.keys().filter(|key| !attempts.contains_key(*key)).count();
    }

    pub fn judge_movers(&mut self, truth: &Truth, movers: &[Mover]) {
        for mover in movers {
            let id = &mover.writer.badge.person.id;
            let is_joined = |entry: &&Entry| entry.kind == "member.joined" && entry.is_own(id);
            let joins = truth.entries.iter().filter(is_joined);
            let joins =
                joins.filter(|entry| mover.writer.rooms.iter().any(|room| room.id == entry.room)).count();
            let possible = mover.joined..=mover.joined + mover.joins_in_doubt;
            self.untrue += counts(!possible.contains(&joins), || format!("{joins} joins, not {possible:?}"));
        }
    }

    pub fn judge_deletions(&mut self, truth: &Truth, demolisher: &Demolisher) {
        for room in &demolisher.deleted {
            self.untrue +=
                counts(!truth.deleted.contains(room), || format!("deleted, but still there: {room}"));
        }
    }

    /// Nothing of a session is shown after its end, and the node that has ended it does not answer it.
    pub fn judge_guest(&mut self, truth: &Truth, guest: &Guest) {
        self.after_removal += guest.answered_after_it;
        for Visit { session, streams } in &guest.visits {
            self.sign_outs += 1;
            let Some(end) = truth.ended.get(session) else {
                self.untrue += counts(true, || format!("signed out, but the log does not say so: {session}"));
                continue;
            };
            self.after_removal += counts(streams.is_none(), || format!("a stream of {session} went on"));
            for shown in streams.iter().flatten().flatten() {
                match truth.at(&shown.room, shown.seq) {
                    Some((place, _)) if place < *end => {}
                    Some(_) => {
                        self.after_removal +=
                            counts(true, || format!("{shown:?} after the end of {session}"));
                    }
                    None => self.wrong += counts(true, || format!("{shown:?} is not in the log")),
                }
            }
        }
    }

    pub fn judge_stream(&mut self, truth: &Truth, reader: &Reader) {
        self.streams += 1;
        self.resets += reader.resets;
        let room = reader.room.as_ref().map(|room| room.id.as_str());
        let own = &reader.badge.person.id;
        self.compare(
            truth,
            &Told { name: &reader.name, own, room, shown: &reader.shown, stretches: &reader.stretches },
        );
    }

    /// Holds one stream against the log.
    pub fn compare(&mut self, truth: &Truth, told: &Told<'_>) {
        self.shown += told.shown.len();
        self.resumes += told.stretches.len().saturating_sub(1);
        let (visible, ended) = match told.room {
            Some(room) => (of_room(truth, room), HashSet::new()),
            None => of_person(truth, told.own),
        };
        self.everything_in_its_place(truth, told, &visible, &ended);
        if told.room.is_some() {
            self.nothing_comes_behind_a_removal(truth, told);
        }
    }

    /// Goes through what must be shown and what was, side by side.
    fn everything_in_its_place(
        &mut self,
        truth: &Truth,
        told: &Told<'_>,
        visible: &[Visible],
        ended: &HashSet<usize>,
    ) {
        let Told { name, own, .. } = told;
        let key = |shown: &Shown| (shown.room.clone(), shown.seq);
        let mut times: HashMap<(String, i64), usize> = HashMap::new();
        for shown in told.shown {
            *times.entry(key(shown)).or_default() += 1;
        }
        let mut shown = told.shown.iter().peekable();
        let mut withholding = HashSet::new();
        // Shown, but not here: counted once, where it should have been.
        let mut elsewhere = HashSet::new();
        let mut done = HashSet::new();
        for Visible { place, stay } in visible {
            let entry = &truth.entries[*place];
            let wanted = (entry.room.clone(), entry.seq);
            while let Some(other) =
                shown.next_if(|shown| elsewhere.contains(&key(shown)) || done.contains(&key(shown)))
            {
                let _ = times.entry(key(other)).and_modify(|times| *times -= 1);
                self.repeats += counts(done.contains(&key(other)), || format!("{name}: {other:?} again"));
            }
            let is_end = entry.is_own(own) || entry.kind == "room.deleted";
            if let Some(found) = shown.next_if(|shown| key(shown) == wanted) {
                let _ = times.entry(wanted.clone()).and_modify(|times| *times -= 1);
                done.insert(wanted);
                let is_same = found.digest == entry.digest || truth.deleted.contains(&entry.room);
                self.wrong += counts(!is_same, || format!("{name}: {found:?} is not {entry:?}"));
                let in_a_hole = !is_end && stay.is_some_and(|stay| withholding.contains(&stay));
                self.gaps += counts(in_a_hole, || format!("{name}: a gap before {entry:?}"));
            } else if times.get(&wanted).is_some_and(|times| *times > 0) {
                self.reorders += counts(true, || format!("{name}: {entry:?} before {:?}", shown.peek()));
                elsewhere.insert(wanted);
            } else if let Some(stay) = stay.filter(|stay| !is_end && ended.contains(stay)) {
                withholding.insert(stay);
                self.withheld += 1;
            } else {
                self.gaps +=
                    counts(true, || format!("{name}: {entry:?} is missing before {:?}", shown.peek()));
            }
        }
        for more in shown.filter(|shown| !elsewhere.contains(&key(shown))) {
            let place = truth.at(&more.room, more.seq).map(|(place, _)| place);
            let is_visible = place
                .is_some_and(|place| visible.binary_search_by_key(&place, |visible| visible.place).is_ok());
            let was_removed = place.is_some_and(|place| was_removed(truth, own, &more.room, place));
            let count = counts(true, || format!("{name}: {more:?} is too much"));
            *(match (is_visible, was_removed) {
                (true, _) => &mut self.repeats,
                (false, true) => &mut self.after_removal,
                (false, false) => &mut self.wrong,
            }) += count;
        }
    }

    /// A removal that was no history when the connection was opened is the last thing that it shows.
    fn nothing_comes_behind_a_removal(&mut self, truth: &Truth, told: &Told<'_>) {
        let Told { name, own, shown, stretches, .. } = told;
        let ends = stretches.iter().skip(1).map(|next| next.from).chain([shown.len()]);
        for (stretch, end) in stretches.iter().zip(ends) {
            for (index, shown) in shown[stretch.from..end].iter().enumerate() {
                let Some((_, entry)) = truth.at(&shown.room, shown.seq) else { continue };
                let removes =
                    entry.kind == "member.left" && entry.is_own(own) && entry.at > stretch.opened_at;
                let more = end - stretch.from - index - 1;
                self.after_removal += counts(removes && more > 0, || {
                    format!("{name}: {more} events behind {entry:?} in {stretch:?}")
                });
            }
        }
    }
}

/// One if it is so, and a line about it.
fn counts(is_so: bool, what: impl FnOnce() -> String) -> usize {
    if is_so {
        println!("{}", what());
    }
    usize::from(is_so)
}

/// Whether the reader had been in the room and was removed from it before this place.
fn was_removed(truth: &Truth, own: &str, room: &str, place: usize) -> bool {
    let before = truth.entries[..place].iter();
    before.filter(|entry| entry.room == room).any(|entry| entry.kind == "member.left" && entry.is_own(own))
}

/// A member sees the whole history of a room.
fn of_room(truth: &Truth, room: &str) -> Vec<Visible> {
    let places = truth.entries.iter().enumerate().filter(|(_, entry)| entry.room == room);
    places.map(|(place, _)| Visible { place, stay: None }).collect()
}

/// Rooms from the own join on, the own memberships always; and which stretches of membership came to an end.
fn of_person(truth: &Truth, own: &str) -> (Vec<Visible>, HashSet<usize>) {
    let (mut visible, mut ended, mut stays) = (Vec::new(), HashSet::new(), 0);
    let mut stay_in: HashMap<&str, usize> = HashMap::new();
    for (place, entry) in truth.entries.iter().enumerate() {
        if entry.kind == "member.joined" && entry.is_own(own) {
            stays += 1;
            stay_in.insert(&entry.room, stays);
        }
        let stay = stay_in.get(entry.room.as_str()).copied();
        if stay.is_some() || entry.is_own(own) {
            visible.push(Visible { place, stay });
        }
        if entry.kind == "room.deleted" || (entry.kind == "member.left" && entry.is_own(own)) {
            ended.extend(stay_in.remove(entry.room.as_str()));
        }
    }
    (visible, ended)
}
