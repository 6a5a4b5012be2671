//! Stories of one, two and many boxes on a network, in a time that the test makes.

use super::*;

const NET: &str = "wlan0";
const PHONE: &str = "192.168.4.9:5353";

fn facts(label: &str, last: u8) -> Facts {
    let addresses = vec![IpAddr::from([192, 168, 4, last])];
    let networks = BTreeMap::from([(NET.to_owned(), addresses)]);
    Facts { label: label.into(), networks, ports: Ports { http: Some(8080), https: None } }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn read(sent: &[Outgoing]) -> Vec<Message> {
    sent.iter().map(|outgoing| Message::parse(&outgoing.bytes).unwrap()).collect()
}

fn ask(name: &str, kind: u16) -> Message {
    Message { questions: vec![Question { name: name.into(), kind }], ..Message::default() }
}

/// Boxes on one network hear each other, and themselves, for a while.
fn live(boxes: &mut [Responder], from: u64, until: u64) {
    for now in (from..until).step_by(50).map(ms) {
        let mut said: Vec<(usize, Outgoing)> = Vec::new();
        for (index, one) in boxes.iter_mut().enumerate() {
            said.extend(one.tick(now).into_iter().map(|outgoing| (index, outgoing)));
        }
        while let Some((by, outgoing)) = said.pop() {
            let from = SocketAddr::from(([192, 168, 4, u8::try_from(by).unwrap() + 1], PORT));
            for (index, one) in boxes.iter_mut().enumerate() {
                let answers = one.heard(now, NET, from, &outgoing.bytes);
                said.extend(answers.into_iter().map(|answer| (index, answer)));
            }
        }
    }
}

fn held(label: &str) -> Responder {
    let mut boxes = [Responder::new(ms(0), facts(label, 1))];
    live(&mut boxes, 0, 3000);
    let [one] = boxes;
    assert_eq!(one.state(), State::Held);
    one
}

#[test]
fn a_name_is_asked_for_three_times_and_then_announced_twice() {
    let mut one = Responder::new(ms(0), facts("whot-mama", 1));
    let said: Vec<_> = (0..40).map(|step| ms(step * 50)).flat_map(|now| read(&one.tick(now))).collect();
    assert_eq!(said.iter().map(|message| message.response).collect::<Vec<_>>(), [false, false, false, true, true]);
    assert!(said[0].questions.contains(&Question { name: "whot-mama.local".into(), kind: ANY }));
    assert!(said[0].claims.iter().any(|record| record.data == [192, 168, 4, 1]));
    assert!(said[3].answers.iter().any(|record| record.kind == A && record.unique && record.ttl == 120));
}

#[test]
fn it_answers_for_its_name_and_its_services_and_for_nothing_else() {
    let mut one = held("whot-mama");
    let phone = PHONE.parse().unwrap();
    let mut answer = |message: Message, now| read(&one.heard(ms(now), NET, phone, &message.bytes())).pop();
    // the address, in whatever letters; and that there is no other kind of address
    let told = answer(ask("WHOT-Mama.local", A), 5000).unwrap();
    assert_eq!(told.answers[0].data, [192, 168, 4, 1]);
    let told = answer(ask("whot-mama.local", AAAA), 5000).unwrap();
    assert_eq!(told.answers.iter().map(|record| record.kind).collect::<Vec<_>>(), [NSEC]);
    // the service, with all that is needed to go there
    let told = answer(ask("_http._tcp.local", PTR), 5000).unwrap();
    assert_eq!(told.answers[0].data, wire::encoded("whot-mama._http._tcp.local"));
    for kind in [SRV, TXT, A] {
        assert!(told.additional.iter().any(|record| record.kind == kind), "{kind}");
    }
    // and
    for (name, kind) in [("whot.local", A), ("whot-mama.local", TXT), ("_https._tcp.local", PTR), ("local", ANY)] {
        assert_eq!(answer(ask(name, kind), 9000), None, "{name}");
    }
    // who knows it needs no answer
    let known = Message { answers: told.answers.clone(), ..ask("_http._tcp.local", PTR) };
    assert_eq!(answer(known, 9000), None);
}

#[test]
fn who_asks_in_the_old_way_is_answered_directly_if_it_is_near() {
    let mut one = held("whot-mama");
    let message = Message { id: 77, ..ask("whot-mama.local", A) };
    let near = "192.168.4.9:40000".parse().unwrap();
    let sent = one.heard(ms(5000), NET, near, &message.bytes());
    assert_eq!(sent[0].to, To::One(near));
    let told = &read(&sent)[0];
    assert_eq!((told.id, told.questions.len(), told.answers[0].ttl, told.answers[0].unique), (77, 1, 10, false));
    assert!(one.heard(ms(5000), NET, "8.8.8.8:40000".parse().unwrap(), &message.bytes()).is_empty());
}

#[test]
fn nobody_makes_it_flood_the_network() {
    let mut one = held("whot-mama");
    let question = ask("whot-mama.local", A).bytes();
    let mut answers = |now| (0..1000).flat_map(|_| one.heard(ms(now), NET, PHONE.parse().unwrap(), &question)).count();
    assert_eq!((answers(5000), answers(5900), answers(6000)), (10, 0, 10));
}

#[test]
fn of_boxes_of_one_name_each_has_its_own_in_the_end() {
    // given: three that start at the same moment, and one that comes later
    let mut boxes: Vec<_> = (1..=3).map(|last| Responder::new(ms(0), facts("whot-mama", last))).collect();
    live(&mut boxes, 0, 10_000);
    boxes.push(Responder::new(ms(10_000), facts("whot-mama", 4)));
    // when
    live(&mut boxes, 10_000, 20_000);
    // then
    let mut names: Vec<_> = boxes.iter().map(Responder::label).collect();
    assert_eq!(names[3], "whot-mama-4");
    names.sort();
    assert_eq!(names, ["whot-mama", "whot-mama-2", "whot-mama-3", "whot-mama-4"]);
    assert!(boxes.iter().all(|one| one.state() == State::Held));
    // Without others none takes a number: what is heard of oneself is no conflict.
    assert_eq!(held("whot-mama").label(), "whot-mama");
}

#[test]
fn two_programs_on_one_machine_are_told_apart_by_their_ports() {
    let other = Facts { ports: Ports { http: Some(8081), https: None }, ..facts("whot-mama", 1) };
    let mut boxes = [held("whot-mama"), Responder::new(ms(4000), other)];
    live(&mut boxes, 4000, 9000);
    assert_eq!(boxes.each_ref().map(Responder::label), ["whot-mama", "whot-mama-2"]);
}

#[test]
fn who_denies_it_every_name_is_met_with_patience() {
    // given: somebody who says of every name that is asked for that it is theirs
    let mut one = Responder::new(ms(0), facts("whot-mama", 1));
    let mut said = 0;
    for now in (0..30_000).step_by(50).map(ms) {
        for message in read(&one.tick(now)) {
            said += 1;
            let Some(question) = message.questions.first() else { continue };
            let mine = Record { name: question.name.clone(), kind: A, ttl: 120, unique: true, data: vec![10, 6, 6, 6] };
            let denial = Message { response: true, answers: vec![mine], ..Message::default() };
            assert!(one.heard(now, NET, PHONE.parse().unwrap(), &denial.bytes()).is_empty());
        }
    }
    // then it has asked for nine names, and waits
    assert_eq!((one.state(), said), (State::Taken, 9));
    // and comes back to the one that it wants
    assert!(one.tick(ms(61_000)).is_empty());
    assert_eq!((one.label().as_str(), one.state()), ("whot-mama", State::Claiming));
}

#[test]
fn what_changes_is_taken_back_and_asked_for_anew() {
    let mut one = held("whot-mama");
    assert!(one.set(ms(5000), facts("whot-mama", 1)).is_empty());
    let gone = read(&one.set(ms(5000), facts("whot-chidi", 1))).pop().unwrap();
    assert!(gone.answers.iter().all(|record| record.ttl == 0 && !record.name.contains("chidi")));
    assert_eq!((one.label().as_str(), one.state()), ("whot-chidi", State::Claiming));
    // Nothing is taken back that was never said, and without a network nothing is said at all.
    assert!(one.farewell().is_empty());
    one.set(ms(5000), Facts { networks: BTreeMap::new(), ..facts("whot-chidi", 1) });
    assert_eq!((one.tick(ms(6000)).len(), one.state()), (0, State::NoNetwork));
}
