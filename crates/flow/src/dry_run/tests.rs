use super::script::{Line, read};
use super::*;
use crate::parse;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn email() -> PolicySet {
    let text = include_str!("../../../../config/policies/email.toml");
    PolicySet::new(vec![parse("email.toml", text).unwrap()])
}

fn press(run: &mut DryRun, line: &str) -> Next {
    let Ok(Line::Press(input)) = read(line) else { panic!("{line}") };
    run.post(&input).unwrap()
}

#[test]
fn a_run_shows_its_code_and_ends_signed_in() {
    let (mut run, next) = DryRun::begin(email(), "email", World::new(NOW), NOW).unwrap();
    assert_eq!(next, Next::Page);
    press(&mut run, &format!("login email={EMAIL} password=\"{PASSWORD}\""));
    assert_eq!(run.page().unwrap().step, "mailbox");
    press(&mut run, "send");
    let code = run.messages()[0].code.clone().unwrap();
    press(&mut run, &format!("verify code={code}"));
    assert!(matches!(press(&mut run, "continue"), Next::Issue(_)));
}

#[test]
fn limits_count_and_end_with_their_window() {
    let (mut run, _) = DryRun::begin(email(), "email", World::new(NOW), NOW).unwrap();
    let wrong = format!("login email={EMAIL} password=no");
    for _ in 0..10 {
        assert_eq!(press(&mut run, &wrong), Next::Page);
    }
    assert!(matches!(press(&mut run, &wrong), Next::Stop { .. }));
}

#[test]
fn lines_are_read_or_refused_in_words() {
    let Ok(Line::Press(input)) = read("  set a=\"two words\" b=c=d ") else { panic!("no press") };
    assert_eq!((input.field("a"), input.field("b")), ("two words", "c=d"));
    assert!(matches!(read("# a comment"), Ok(Line::Nothing)));
    assert!(matches!(read(":wait 2m"), Ok(Line::Wait(span)) if span == Seconds::minutes(2)));
    for bad in [":wait", ":wait soon", ":dance", "login email", "login \"email=a", &"x".repeat(5000)] {
        assert!(read(bad).is_err(), "{bad:.20}");
    }
}
