use countersign_model::{KeyedHash, TokenBinding};
use proptest::prelude::*;

use super::*;
use crate::binding::Held;
use crate::dpop::Proof;
use crate::resource::Resources;
use crate::testing::{
    NOW, authenticated, client, grant, issuer, later, other_client, public_client, refresh_token, scope,
};
use crate::token::Issue;
use crate::{ErrorCode, Issuer};

const LIFETIME: Seconds = Seconds::minutes(10);

fn used(successor: impl FnOnce(&mut RefreshToken)) -> (RefreshToken, RefreshToken) {
    let spent = RefreshToken { consumed_at: Some(NOW), ..refresh_token("openid") };
    let mut next = RefreshToken { hash: [9; 32], access_jti: Some("lost".to_owned()), ..refresh_token("openid") };
    successor(&mut next);
    (spent, next)
}

fn verdict_of(token: &RefreshToken, successor: &RefreshToken, now: Timestamp) -> &'static str {
    match judge(token, Some(successor), false, now) {
        Verdict::First => "first",
        Verdict::AnswerLost(_) => "lost",
        Verdict::Tab(_) => "tab",
        Verdict::Reuse(_) => "reuse",
    }
}

#[test]
fn a_used_token_works_again_while_its_successors_are_unused() {
    let (spent, unused) = used(|_| {});
    for seconds in [0, 1, 29, 31, 86_400] {
        assert_eq!(verdict_of(&spent, &unused, later(seconds)), "lost", "{seconds}");
    }
    let (spent, refreshed) = used(|next| next.consumed_at = Some(later(1)));
    assert_eq!(verdict_of(&spent, &refreshed, later(1)), "reuse");
    let (spent, shown) = used(|next| next.access_used_at = Some(later(1)));
    assert_eq!((verdict_of(&spent, &shown, later(29)), verdict_of(&spent, &shown, later(30))), ("tab", "reuse"));
    // An answer that was lost was given anew long afterwards.
    let (spent, anew) = used(|next| (next.created_at, next.access_used_at) = (later(5000), Some(later(5001))));
    assert_eq!((verdict_of(&spent, &anew, later(5029)), verdict_of(&spent, &anew, later(5030))), ("tab", "reuse"));
    assert_eq!(judge(&spent, None, false, NOW), Verdict::Reuse("the refresh token was spent already"));
}

#[test]
fn what_comes_at_the_same_moment_is_refused_and_harms_nobody() {
    let (spent, next) = used(|next| next.consumed_at = Some(later(1)));
    assert!(matches!(judge(&spent, Some(&next), true, NOW), Verdict::Tab(_)));
    assert_eq!(judge(&next, None, true, NOW), judge(&next, None, true, NOW));
    assert_eq!(judge(&refresh_token("openid"), None, true, NOW), Verdict::First, "one of them is served");
}

#[test]
fn a_successor_that_was_given_up_is_no_token_any_more() {
    let given_up = |seconds| RefreshToken { revoked_at: Some(later(seconds)), ..refresh_token("openid") };
    assert!(matches!(judge(&given_up(29), None, false, later(58)), Verdict::Tab(_)), "by another tab");
    assert!(matches!(judge(&given_up(29), None, false, later(59)), Verdict::Reuse(_)), "a tab is not that late");
    assert!(matches!(judge(&given_up(30), None, false, later(31)), Verdict::Reuse(_)), "somebody had got it");
}

/// A family as the store keeps it, and a refresh as the token endpoint makes it.
struct Family {
    issuer: Issuer,
    tokens: Vec<(RefreshToken, Option<KeyedHash>)>,
    dead_access: Vec<String>,
    revoked: bool,
    made: u8,
    now: Timestamp,
}

impl Family {
    fn new() -> Self {
        let first = RefreshToken { hash: [0; 32], expires_at: later(1_000_000), ..refresh_token("openid") };
        Self { issuer: issuer(), tokens: vec![(first, None)], dead_access: vec![], revoked: false, made: 0, now: NOW }
    }

    fn at(&mut self, hash: &KeyedHash) -> &mut (RefreshToken, Option<KeyedHash>) {
        self.tokens.iter_mut().find(|(token, _)| token.hash == *hash).unwrap()
    }

    fn wait(&mut self, seconds: u32) {
        self.now = self.now.plus(Seconds::new(seconds));
    }

    /// Uses a token; the new one, if there is one.
    fn refresh(&mut self, hash: &KeyedHash, parallel: bool) -> Result<KeyedHash, ErrorCode> {
        self.refresh_as(&client(), hash, parallel).0.map(|_| [self.made; 32]).map_err(|error| error.code)
    }

    fn refresh_as(
        &mut self,
        client: &countersign_model::Client,
        hash: &KeyedHash,
        parallel: bool,
    ) -> (Result<Issue, OAuthError>, Vec<Effect>) {
        let (token, successor) = self.at(hash).clone();
        // Whoever refreshes holds the key that the token is bound to.
        let proof = match &token.binding {
            Some(TokenBinding::Dpop(key)) => {
                Some(Proof { thumbprint: key.clone(), jti: "1".to_owned(), expires_at: NOW })
            }
            _ => None,
        };
        let binding = Binding::decide(client, Held { proof: proof.as_ref(), certificate: None }).unwrap();
        let successor = successor.map(|hash| Box::new(self.at(&hash).0.clone()));
        let revoked_at = self.revoked.then_some(NOW);
        let grant = Box::new(Grant { revoked_at, ..grant("openid") });
        let facts = TokenFacts::RefreshToken { token: Box::new(token), successor, grant, user_active: true, parallel };
        let jti = (self.made + 1).to_string();
        let unmade = crate::testing::grant("openid").id;
        let prepared = Prepared {
            refresh_token: [self.made + 1; 32],
            refresh_lifetime: Seconds::hours(8),
            access_jti: &jti,
            access_lifetime: LIFETIME,
            grant: &unmade,
            resources: Resources { issuer: &self.issuer, servers: &[] },
        };
        let text = SecretString::from("token");
        let client = authenticated(client);
        let usage = Usage { client, token: &text, scope: None, resources: &[], binding: &binding };
        let decision = decide(&usage, facts, &prepared, self.now);
        for effect in &decision.effects {
            self.apply(effect);
        }
        (decision.outcome, decision.effects)
    }

    fn apply(&mut self, effect: &Effect) {
        let now = self.now;
        let next = [self.made + 1; 32];
        match effect {
            Effect::ConsumeRefreshToken(hash) => {
                let (token, successor) = self.at(hash);
                assert!(token.consumed_at.is_none() && token.revoked_at.is_none());
                (token.consumed_at, *successor) = (Some(now), Some(next));
            }
            Effect::ReplaceSuccessor { spent, successor } => {
                let old = &mut self.at(successor).0;
                assert!(old.consumed_at.is_none() && old.revoked_at.is_none() && old.access_used_at.is_none());
                old.revoked_at = Some(now);
                self.at(spent).1 = Some(next);
            }
            Effect::RevokeAccessToken { jti, .. } => self.dead_access.push(jti.clone()),
            Effect::InsertRefreshToken(token) => {
                self.made += 1;
                self.tokens.push((token.clone(), None));
            }
            Effect::RevokeGrant(_) => self.revoked = true,
            Effect::Audit { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    /// The access token that came with a refresh token is shown to us: whether it still worked.
    fn show_access(&mut self, hash: &KeyedHash) -> bool {
        let (now, dead) = (self.now, self.dead_access.clone());
        let token = &mut self.at(hash).0;
        let Some(jti) = token.access_jti.clone() else { return true };
        let alive = !dead.contains(&jti);
        if alive {
            token.access_used_at.get_or_insert(now);
        }
        alive && !self.revoked
    }

    fn live(&self) -> usize {
        let live = |(token, _): &&(RefreshToken, _)| token.consumed_at.is_none() && token.revoked_at.is_none();
        self.tokens.iter().filter(live).count()
    }
}

#[test]
fn a_lost_answer_is_given_anew_and_what_was_lost_is_dead() {
    let mut family = Family::new();
    let lost = family.refresh(&[0; 32], false).unwrap();
    family.wait(5);
    let got = family.refresh(&[0; 32], false).unwrap();
    assert_ne!(lost, got);
    assert!(!family.show_access(&lost), "its access token was taken back");
    assert_eq!(family.refresh(&lost, false), Err(ErrorCode::InvalidGrant));
    assert!(!family.revoked && family.refresh(&got, false).is_ok());
    assert_eq!(family.refresh(&[0; 32], false), Err(ErrorCode::InvalidGrant));
    assert!(family.revoked, "and that was a reuse");
}

#[test]
fn the_audit_tells_an_answer_that_is_given_again_from_a_first_one() {
    let mut family = Family::new();
    let reasons = [(); 3].map(|()| {
        let (_, effects) = family.refresh_as(&client(), &[0; 32], false);
        let told = effects.into_iter().find_map(|effect| match effect {
            Effect::Audit { kind: AuditKind::TokenRefreshed, reason, .. } => Some(reason),
            _ => None,
        });
        told.expect("an event")
    });
    assert_eq!(reasons, ["", ANSWERED_AGAIN, ANSWERED_AGAIN]);
}

#[test]
fn a_spent_token_in_another_client_s_hands_takes_the_family_with_it() {
    let mut family = Family::new();
    family.refresh(&[0; 32], false).unwrap();
    assert_eq!(family.refresh_as(&other_client(), &[0; 32], false).0.unwrap_err().code, ErrorCode::InvalidGrant);
    assert!(family.revoked);
}

#[test]
fn a_client_of_that_rule_keeps_its_token_if_a_thief_could_do_nothing_with_it() {
    let keep = |client| countersign_model::Client { refresh: RefreshRule::Keep, ..client };
    let mut family = Family::new();
    for _ in 0..3 {
        let (issued, effects) = family.refresh_as(&keep(client()), &[0; 32], false);
        assert!(!issued.unwrap().refresh_token);
        assert!(matches!(effects[..], [Effect::Audit { kind: AuditKind::TokenRefreshed, .. }]), "{effects:?}");
    }
    let profile = Some(countersign_model::SecurityProfile::Fapi2Security);
    let (issued, _) = family.refresh_as(&countersign_model::Client { profile, ..client() }, &[0; 32], false);
    assert!(!issued.unwrap().refresh_token, "FAPI 2.0, 5.3.2.1");
    let (issued, _) = family.refresh_as(&keep(public_client()), &[0; 32], false);
    assert!(issued.unwrap().refresh_token, "a bearer token of a public client rotates (RFC 9700, 2.2.2)");

    let mut family = Family::new();
    family.at(&[0; 32]).0.binding = Some(TokenBinding::Dpop("thumbprint".to_owned()));
    assert!(!family.refresh_as(&keep(public_client()), &[0; 32], false).0.unwrap().refresh_token);
    assert_eq!(family.tokens[0].0.scope, scope("openid"));
}

/// Tabs that keep what they hold in one place: each sends what it finds there once that is old, and writes down what it
/// gets.
struct Tabs {
    family: Family,
    store: KeyedHash,
    stored_at: Timestamp,
    under_way: Vec<Sent>,
}

/// A refresh that a tab has sent.
struct Sent {
    token: KeyedHash,
    arrives_at: Timestamp,
    answer_lost: bool,
}

impl Tabs {
    fn new() -> Self {
        Self { family: Family::new(), store: [0; 32], stored_at: NOW.minus(TABS), under_way: vec![] }
    }

    fn send(&mut self, takes: u32, answer_lost: bool) {
        if self.family.now >= self.stored_at.plus(TABS) {
            let arrives_at = self.family.now.plus(Seconds::new(takes));
            self.under_way.push(Sent { token: self.store, arrives_at, answer_lost });
        }
    }

    fn wait(&mut self, seconds: u32) {
        let end = self.family.now.plus(Seconds::new(seconds));
        self.under_way.sort_by_key(|sent| sent.arrives_at);
        while self.under_way.first().is_some_and(|sent| sent.arrives_at <= end) {
            let sent = self.under_way.remove(0);
            self.family.now = sent.arrives_at;
            if let (Ok(next), false) = (self.family.refresh(&sent.token, false), sent.answer_lost) {
                (self.store, self.stored_at) = (next, self.family.now);
            }
        }
        self.family.now = end;
    }
}

/// What such tabs do next.
#[derive(Clone, Debug)]
enum Step {
    Send { takes: u32, answer_lost: bool },
    ShowAccess,
    Wait(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..TABS.get(), any::<bool>()).prop_map(|(takes, answer_lost)| Step::Send { takes, answer_lost }),
        2 => Just(Step::ShowAccess),
        2 => (0_u32..40).prop_map(Step::Wait),
        1 => (0_u32..10_000).prop_map(Step::Wait),
    ]
}

/// What a holder does next, and how long after the last thing.
#[derive(Clone, Debug)]
enum Deed {
    Refresh { answer_lost: bool },
    ShowAccess,
    Wait(u32),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        any::<bool>().prop_map(|answer_lost| Deed::Refresh { answer_lost }),
        Just(Deed::ShowAccess),
        (1_u32..100).prop_map(Deed::Wait),
    ]
}

proptest! {
    /// Against the model of an honest client: it holds the newest token it got, and an answer may be lost.
    #[test]
    fn an_honest_client_is_never_refused_whatever_is_lost(deeds in proptest::collection::vec(deed(), 1..60)) {
        let mut family = Family::new();
        let mut held = [0; 32];
        for deed in deeds {
            match deed {
                Deed::Refresh { answer_lost } => {
                    let next = family.refresh(&held, false);
                    prop_assert!(next.is_ok(), "{next:?}");
                    if !answer_lost {
                        held = next.unwrap();
                    }
                }
                Deed::ShowAccess => prop_assert!(family.show_access(&held)),
                Deed::Wait(seconds) => family.wait(seconds),
            }
            prop_assert_eq!(family.live(), 1, "never two that work");
        }
        prop_assert!(!family.revoked);
    }

    /// Tabs that share what they hold and refresh at the same moment, again and again.
    #[test]
    fn tabs_never_log_anybody_out(rounds in proptest::collection::vec((1_usize..6, 1_u32..600), 1..20)) {
        let mut family = Family::new();
        let mut held = [0; 32];
        for (tabs, pause) in rounds {
            let answers: Vec<_> = (0..tabs).map(|tab| family.refresh(&held, tab > 0)).collect();
            prop_assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
            held = answers[0].unwrap();
            prop_assert!(!family.revoked);
            family.wait(pause);
        }
    }

    /// Tabs that each hold a copy of their own, stale as soon as another refreshed, and refresh one after the other within
    /// half a minute, whether their access tokens were shown or not; then they take over what came last, and wait. Nobody
    /// is logged out: the family stands, and what came last works.
    #[test]
    fn tabs_with_stale_copies_of_their_own_never_log_anybody_out(
        rounds in proptest::collection::vec(
            (proptest::collection::vec((0_u32..5, any::<bool>()), 1..6), 30_u32..10_000),
            1..20,
        ),
    ) {
        let mut family = Family::new();
        let mut held = [0; 32];
        for (tabs, pause) in rounds {
            let stale = held;
            for (stagger, shows) in tabs {
                family.wait(stagger);
                if let Ok(next) = family.refresh(&stale, false) {
                    held = next;
                    if shows {
                        prop_assert!(family.show_access(&held));
                    }
                }
                prop_assert!(!family.revoked);
                prop_assert_eq!(family.live(), 1);
            }
            prop_assert_ne!(stale, held, "one of them was served");
            family.wait(pause);
        }
        prop_assert!(family.refresh(&held, false).is_ok());
    }

    /// Tabs that share what they hold, whenever they wake up: requests under way overtake each other, answers are lost,
    /// access tokens shown. If they hear the answers nobody takes them for a thief, and they stay signed in. (An answer
    /// that took another's token back and was lost leaves them with a dead one, which ends what is dead to them anyhow.)
    #[test]
    fn tabs_of_one_store_never_end_its_family_at_any_delay(steps in proptest::collection::vec(step(), 1..60)) {
        let heard = !steps.iter().any(|step| matches!(step, Step::Send { answer_lost: true, .. }));
        let mut tabs = Tabs::new();
        for step in steps {
            match step {
                Step::Send { takes, answer_lost } => tabs.send(takes, answer_lost),
                Step::ShowAccess => {
                    tabs.family.show_access(&tabs.store);
                }
                Step::Wait(seconds) => tabs.wait(seconds),
            }
            prop_assert!(!heard || !tabs.family.revoked);
            prop_assert!(tabs.family.revoked || tabs.family.live() == 1);
        }
        tabs.wait(TABS.get());
        prop_assert!(!heard || tabs.family.refresh(&tabs.store, false).is_ok());
    }

    /// Two that each hold a copy: while nobody used what came of it, it works for either, however late; as soon as one
    /// of them went on with a successor, it is a reuse.
    #[test]
    fn copies_work_while_no_successor_was_used_and_end_the_family_once_one_was(
        pauses in proptest::collection::vec(0_u32..20_000, 1..20),
        late in 0_u32..20_000,
    ) {
        let mut family = Family::new();
        for pause in pauses {
            prop_assert!(family.refresh(&[0; 32], false).is_ok());
            prop_assert!(!family.revoked);
            prop_assert_eq!(family.live(), 1);
            family.wait(pause);
        }
        let last = [family.made; 32];
        prop_assert!(family.refresh(&last, false).is_ok());
        family.wait(late);
        prop_assert_eq!(family.refresh(&[0; 32], false), Err(ErrorCode::InvalidGrant));
        prop_assert!(family.revoked);
    }

    /// A thief with a copy and its victim both go on, in any order and with any pauses of half a minute and more,
    /// whether they show their access tokens or not: as soon as both have tried, the family is dead.
    #[test]
    fn a_thief_and_his_victim_are_found_out(
        turns in proptest::collection::vec((any::<bool>(), any::<bool>(), 31_u32..1000), 1..20),
    ) {
        let mut family = Family::new();
        let mut held = [[0; 32]; 2];
        let mut tried = [false; 2];
        for (thief, shows, pause) in turns {
            let who = usize::from(thief);
            tried[who] = true;
            if let Ok(next) = family.refresh(&held[who], false) {
                held[who] = next;
                if shows {
                    family.show_access(&next);
                }
            }
            family.wait(pause);
        }
        // Whoever comes last, the two never both hold a token that works.
        if tried == [true, true] {
            let first = family.refresh(&held[0], false).is_ok();
            let second = family.refresh(&held[1], false).is_ok();
            prop_assert!(!(first && second));
            prop_assert!(family.revoked);
        }
    }

    /// A thief who shows his copy again and again, so that whatever his victim is given is given up at once: as soon as
    /// the victim comes with it, whenever that is, the family is dead.
    #[test]
    fn a_thief_who_asks_every_few_seconds_is_found_out(
        before in 0_usize..20,
        after in 3_usize..200,
        pause in 1_u32..30,
    ) {
        let mut family = Family::new();
        let poll = |family: &mut Family, times| {
            for _ in 0..times {
                let _ = family.refresh(&[0; 32], false);
                family.wait(pause);
            }
        };
        poll(&mut family, before);
        let held = family.refresh(&[0; 32], false).unwrap();
        poll(&mut family, after);
        family.wait(TABS.get());
        prop_assert_eq!(family.refresh(&held, false), Err(ErrorCode::InvalidGrant));
        prop_assert!(family.revoked);
    }

    /// Whatever anybody does with any token of the family: one works at most, and none once it is revoked.
    #[test]
    fn at_most_one_token_of_a_family_works(
        uses in proptest::collection::vec((any::<prop::sample::Index>(), any::<bool>(), any::<bool>(), 0_u32..60), 1..60),
    ) {
        let mut family = Family::new();
        for (which, parallel, show, pause) in uses {
            let hash = family.tokens[which.index(family.tokens.len())].0.hash;
            let dead = family.revoked;
            if show {
                family.show_access(&hash);
            } else {
                prop_assert!(family.refresh(&hash, parallel).is_err() || !dead);
            }
            prop_assert_eq!(family.live(), 1);
            family.wait(pause);
        }
    }
}
