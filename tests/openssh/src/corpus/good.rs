//! Lines that log in, and lines that would from elsewhere or at another time.

use super::{Case, Class, whole, with_options};
use crate::keys::{KeyName, Keys};

pub(super) fn cases(keys: &Keys) -> Vec<Case> {
    let good = GOOD
        .iter()
        .map(|options| with_options(Class::Good, options, keys));
    let unmet = UNMET
        .iter()
        .map(|options| with_options(Class::Unmet, options, keys));
    let mut cases: Vec<Case> = good.chain(unmet).collect();
    cases.extend(of_every_type(keys));
    cases.extend(layouts(keys));
    cases
}

fn of_every_type(keys: &Keys) -> Vec<Case> {
    let accepted = KeyName::ALL
        .into_iter()
        .filter(|&name| name != KeyName::Dsa);
    let mut cases: Vec<Case> = accepted
        .map(|name| {
            whole(
                Class::Good,
                name.as_str(),
                name,
                format!("restrict {}\n", keys.line(name)),
            )
        })
        .collect();
    let (_, body) = keys.parts(KeyName::Rsa);
    for name in ["rsa-sha2-256", "rsa-sha2-512"] {
        cases.push(whole(
            Class::Good,
            name,
            KeyName::Rsa,
            format!("{name} {body}\n"),
        ));
    }
    cases
}

fn layouts(keys: &Keys) -> Vec<Case> {
    let key = keys.line(KeyName::Ed25519);
    let (name, body) = keys.parts(KeyName::Ed25519);
    let lines = [
        ("no line feed", key.clone()),
        ("CRLF", format!("{key}\r\n")),
        ("CRLF after a comment", format!("{key} me\r\n")),
        ("blanks before and behind", format!(" \t {key} \t \n")),
        ("tabs between", format!("no-pty\t\t{name}\t\t{body}\tme\n")),
        (
            "blanks between",
            format!("no-pty   {name}   {body}   me  too\n"),
        ),
        ("hash in the comment", format!("{key} #me\n")),
        ("quote in the comment", format!("{key} say \"hi\n")),
        ("key in the comment", format!("{key} {key}\n")),
        (
            "control characters in the comment",
            format!("{key} a\x1b[31m\x07b\n"),
        ),
    ];
    let mut cases: Vec<Case> = lines
        .into_iter()
        .map(|(name, line)| whole(Class::Good, name, KeyName::Ed25519, line))
        .collect();
    let latin1 = [key.as_bytes(), b" caf\xe9\n"].concat();
    cases.push(whole(
        Class::Good,
        "comment that is not UTF-8",
        KeyName::Ed25519,
        latin1,
    ));
    cases
}

const GOOD: [&str; 98] = [
    "restrict",
    "RESTRICT",
    "restrict,pty",
    "pty,restrict",
    "restrict,pty,no-pty",
    "no-pty,pty",
    "pty",
    "no-pty",
    "No-PTY",
    "port-forwarding",
    "no-port-forwarding",
    "agent-forwarding",
    "no-agent-forwarding",
    "X11-forwarding",
    "no-x11-FORWARDING",
    "user-rc",
    "no-user-rc",
    "touch-required",
    "no-touch-required",
    "verify-required",
    "no-verify-required",
    "touch-required,no-touch-required,verify-required",
    "restrict,port-forwarding,agent-forwarding,X11-forwarding,pty,user-rc",
    "port-forwarding,restrict,agent-forwarding",
    ",",
    ",,pty",
    "pty,",
    "pty,,",
    "pty,,,no-pty",
    r#"command="true""#,
    r#"COMMAND="true""#,
    r#"command="echo \"a b\" | cat""#,
    r#"command="true #x""#,
    r#"command="true; : a,b=c""#,
    r#"command="true; : \\ \n \x""#,
    r#"command="true; : naïve""#,
    r#"command="""#,
    r#"command="true; : \\\"""#,
    r#"command="true",no-pty"#,
    r#"environment="A=b""#,
    r#"environment="A=""#,
    r#"environment="_a9=b=c""#,
    r#"environment="A=1",environment="A=2""#,
    r#"environment="A=1",environment="B=2",environment="a=3""#,
    r#"environment="A=x y""#,
    r#"from="127.0.0.1""#,
    r#"from="127.0.0.0/8""#,
    r#"from="127.0.0.1/32""#,
    r#"from="127.*""#,
    r#"from="*""#,
    r#"from="127.0.0.?""#,
    r#"from="10.0.0.0/8,127.0.0.1""#,
    r#"from="!10.0.0.1,*""#,
    r#"from="127.1""#,
    r#"from="0177.0.0.1""#,
    r#"from="0x7f.1""#,
    r#"from="2130706433""#,
    r#"from="0.0.0.0/0""#,
    r#"from="0.0.0.0/00""#,
    r#"from="127.0.0.0/08""#,
    r#"from="127.0.0.1, 10.0.0.1""#,
    r#"from="a b,127.0.0.1""#,
    r#"from="::/0,127.0.0.1""#,
    r#"from="10.0.0.1/129,127.0.0.1""#,
    r#"from="10.0.0.1/,127.0.0.1""#,
    r#"from="10.0.0.1/+8,127.0.0.1""#,
    r#"from="08.0.0.1/8,127.0.0.1""#,
    r#"from="1.2.3.4.5/8,127.0.0.1""#,
    r#"from="1.2.768/24,127.0.0.1""#,
    r#"from="!!127.0.0.1,*""#,
    r#"from="[::1],127.0.0.1""#,
    r#"from="10.0.0.1/0000000000000000000000000000000000000000000000000000008,127.0.0.1""#,
    r#"permitopen="a:1""#,
    r#"permitopen="a:65535""#,
    r#"permitopen="a:*""#,
    r#"permitopen="*:*""#,
    r#"permitopen=":22""#,
    r#"permitopen="a/22""#,
    r#"permitopen="[::1]:22""#,
    r#"permitopen="[a]:22""#,
    r#"permitopen="a: 22""#,
    r#"permitopen="a:+0022""#,
    r#"permitopen="a b:22""#,
    r#"permitopen="[]:22""#,
    r#"permitopen="a:1",permitopen="a:1",permitopen="b:2""#,
    r#"permitopen="a\"b:22""#,
    r#"permitlisten="22""#,
    r#"permitlisten="*""#,
    r#"permitlisten="a:22""#,
    r#"permitlisten=":22""#,
    r#"permitlisten="[::1]:22""#,
    r#"permitlisten=" 22""#,
    r#"tunnel="0""#,
    r#"tunnel="ANY""#,
    r#"tunnel="2147483645""#,
    r#"tunnel="+1""#,
    r#"tunnel="1",tunnel="2""#,
    r#"expiry-time="20371231",expiry-time="20361231Z",expiry-time="20381231235960utc",expiry-time="20350231""#,
];

const UNMET: [&str; 19] = [
    r#"from="10.0.0.1""#,
    r#"from="!127.0.0.1""#,
    r#"from="*,!127.0.0.1""#,
    r#"from="!10.0.0.1""#,
    r#"from="127.0.0.0/8,!127.0.0.1""#,
    r#"from="localhost""#,
    r#"from="127.0.0.1 ""#,
    r#"from="::1""#,
    r#"from="::ffff:127.0.0.1""#,
    r#"from="127.0.0.1/129""#,
    r#"from="127.0.0.0/+8""#,
    r#"from="[127.0.0.1]""#,
    r#"from="127.0.0.0/8/8""#,
    r#"from="::ffff:127.0.0.0/104""#,
    r#"expiry-time="20201231""#,
    r#"expiry-time="20201231Z""#,
    r#"expiry-time="20371231",expiry-time="20201231Z""#,
    r#"expiry-time="19700102""#,
    r#"expiry-time="202012312359""#,
];
