//! Invented cases and messages, so that the pages have something to show.

use serde::Serialize;

/// A request for a service. `state` is `saved`, `in-progress` or `submitted`.
#[derive(Serialize)]
pub struct Case {
    number: &'static str,
    contract: &'static str,
    kind: &'static str,
    consumer_id: &'static str,
    consumer: &'static str,
    born: &'static str,
    modified: &'static str,
    state: &'static str,
    next_step: &'static str,
}

const fn case(words: [&'static str; 9]) -> Case {
    let [number, contract, kind, consumer_id, consumer, born, modified, state, next_step] = words;
    Case { number, contract, kind, consumer_id, consumer, born, modified, state, next_step }
}

pub const CASES: [Case; 6] = [
    case([
        "SAMPLE-1001",
        "Duck Pond Plan",
        "Outpatient",
        "DEMO-01",
        "Mallard Example",
        "01/01/1901",
        "Mon 09:12",
        "saved",
        "Submit the request",
    ]),
    case([
        "SAMPLE-1002",
        "Duck Pond Plan",
        "Inpatient",
        "DEMO-02",
        "Teal Sample",
        "02/02/1902",
        "Mon 10:40",
        "in-progress",
        "Attach the plan of care",
    ]),
    case([
        "SAMPLE-1003",
        "Reed Bed Program",
        "Home health",
        "DEMO-03",
        "Wigeon Placeholder",
        "03/03/1903",
        "Tue 08:05",
        "in-progress",
        "Answer the reviewer's question",
    ]),
    case([
        "SAMPLE-1004",
        "Reed Bed Program",
        "Therapy",
        "DEMO-04",
        "Pintail Specimen",
        "04/04/1904",
        "Tue 13:30",
        "in-progress",
        "Confirm the dates of service",
    ]),
    case([
        "SAMPLE-1005",
        "Duck Pond Plan",
        "Imaging",
        "DEMO-05",
        "Shoveler Fiction",
        "05/05/1905",
        "Wed 11:22",
        "submitted",
        "None: under review",
    ]),
    case([
        "SAMPLE-1006",
        "Duck Pond Plan",
        "Equipment",
        "DEMO-06",
        "Pochard Invented",
        "06/06/1906",
        "Thu 15:47",
        "submitted",
        "None: approved",
    ]),
];

/// A line of the Message Center.
#[derive(Serialize)]
pub struct Notice {
    subject: &'static str,
    text: &'static str,
    case: &'static str,
    when: &'static str,
}

pub const MESSAGES: [Notice; 3] = [
    Notice {
        subject: "More information wanted",
        text: "The reviewer asks which days of the week the visits are planned for.",
        case: "SAMPLE-1003",
        when: "Tue 08:05",
    },
    Notice {
        subject: "Determination letter ready",
        text: "The request for equipment was approved. The letter is an invented one, like the request.",
        case: "SAMPLE-1006",
        when: "Thu 15:47",
    },
    Notice {
        subject: "Saved but not submitted",
        text: "A request has been waiting since Monday. Nobody sees it until it is submitted.",
        case: "SAMPLE-1001",
        when: "Fri 07:00",
    },
];
