//! The SELinux module: it compiles, it fits into a whole policy, and the policy then says what docs/mandatory-access.md says.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that fails says why by panicking"
)]

use keyroster_beside::Policy;

/// What must be allowed: a question that finds a rule (see [`Policy::rules`]).
const ALLOWED: [&str; 39] = [
    // sshd asks the host agent.
    "allow sshd_t keyroster_agent_t unix_stream_socket connectto",
    "allow sshd_t keyroster_agent_runtime_t sock_file write",
    "allow sshd_t keyroster_agent_runtime_t dir search",
    // The lookup runs in sshd's domain, and what it starts is ended by it.
    "allow sshd_t keyroster_lookup_exec_t file execute_no_trans",
    "allow sshd_t sshd_t process setpgid",
    "allow sshd_t sshd_t process sigkill",
    "allow sshd_t keyroster_agent_t process sigkill",
    // RevokedKeys: without it every key is refused.
    "allow sshd_t keyroster_revoked_keys_t file open",
    "allow sshd_t keyroster_agent_var_lib_t dir search",
    // Other providers, which the lookup runs as sshd would.
    "allow sshd_t bin_t file execute_no_trans",
    "allow sshd_t sssd_t unix_stream_socket connectto",
    "allow sshd_t systemd_userdbd_t unix_stream_socket connectto",
    // The domains are entered, from systemd also under NoNewPrivileges=.
    "type_transition init_t keyroster_agent_exec_t process",
    "type_transition init_t keyroster_sessions_exec_t process",
    "allow init_t keyroster_agent_t process2 nnp_transition",
    "type_transition sshd_t keyroster_agent_exec_t process",
    "type_transition sshd_t keyroster_sessions_exec_t process",
    // The host agent keeps its state, and speaks to the key server and to what ends sessions.
    "allow keyroster_agent_t keyroster_agent_var_lib_t file rename",
    "allow keyroster_agent_t keyroster_revoked_keys_t file create",
    "allow keyroster_agent_t http_port_t tcp_socket name_connect",
    "allow keyroster_agent_t keyroster_sessions_t unix_stream_socket connectto",
    // What ends sessions is told of new records.
    "allow keyroster_sessions_t keyroster_sessions_runtime_t dir watch",
    "allow keyroster_sessions_t keyroster_sessions_t process getsched",
    // A report of a break-glass key is brought to the disk beside the login.
    "allow keyroster_sessions_t keyroster_sessions_t process setpgid",
    "allow keyroster_sessions_t keyroster_sessions_t capability fsetid",
    // What takes a change back is started by name, and does what that needs.
    "allow init_t keyroster_enable_t process transition",
    "allow init_t keyroster_enable_t process2 nnp_transition",
    "allow keyroster_enable_t keyroster_agent_exec_t file entrypoint",
    "allow keyroster_enable_t etc_t file rename",
    "allow keyroster_enable_t etc_t dir remove_name",
    "allow keyroster_enable_t keyroster_enable_var_lib_t file create",
    "type_transition keyroster_enable_t sshd_exec_t process",
    "allow keyroster_enable_t sshd_t process2 nnp_transition",
    // Also at a boot, before sshd has a place to run in.
    "allow keyroster_enable_t sshd_runtime_t dir create",
    "allow keyroster_enable_t init_t system status",
    "allow systemd_tmpfiles_t keyroster_spool_t dir create",
    "allow systemd_tmpfiles_t keyroster_agent_var_lib_t dir getattr",
    "allow keyroster_enable_t sshd_unit_t service reload",
    "allow keyroster_enable_t unconfined_t file read",
];

/// What must not be: a question that finds none.
const REFUSED: [&str; 25] = [
    "allow keyroster_agent_t * capability *",
    "allow keyroster_agent_t * capability2 *",
    "allow keyroster_agent_t shadow_t * *",
    "allow keyroster_agent_t sshd_key_t * *",
    "allow keyroster_agent_t user_home_t * *",
    "allow keyroster_agent_t user_home_dir_t dir read",
    "allow keyroster_agent_t ssh_home_t * *",
    "allow keyroster_agent_t etc_t file write",
    "allow keyroster_agent_t * file execute_no_trans",
    "allow keyroster_agent_t * process transition",
    "allow keyroster_agent_t * process ptrace",
    "allow keyroster_agent_t * tcp_socket name_bind",
    "allow keyroster_agent_t unreserved_port_t tcp_socket name_connect",
    "allow keyroster_agent_t ssh_port_t tcp_socket name_connect",
    // The credential is the host agent's alone.
    "allow sshd_t keyroster_agent_var_lib_t file *",
    "allow keyroster_sessions_t keyroster_agent_var_lib_t file *",
    "allow keyroster_sessions_t * tcp_socket create",
    "allow keyroster_sessions_t shadow_t * *",
    "allow keyroster_agent_t keyroster_enable_var_lib_t file *",
    "allow keyroster_agent_t keyroster_enable_t process transition",
    "allow sshd_t keyroster_enable_t process transition",
    "allow keyroster_enable_t shadow_t * *",
    "allow keyroster_enable_t sshd_key_t file *",
    "allow keyroster_enable_t keyroster_agent_var_lib_t file *",
    "allow keyroster_enable_t user_home_t file *",
];

const LABELS: [(&str, &str); 12] = [
    ("/var/lib/keyroster/pending", "keyroster_enable_var_lib_t"),
    ("/var/spool/keyroster/x", "keyroster_spool_t"),
    ("/run/keyroster-sessions/reports/x", "keyroster_spool_t"),
    (
        "/usr/lib/keyroster/keyroster-lookup",
        "keyroster_lookup_exec_t",
    ),
    (
        "/usr/lib/keyroster/keyroster-agent",
        "keyroster_agent_exec_t",
    ),
    (
        "/usr/lib/keyroster/keyroster-sessions",
        "keyroster_sessions_exec_t",
    ),
    (
        "/var/lib/keyroster-agent/credential/key.pem",
        "keyroster_agent_var_lib_t",
    ),
    (
        "/var/lib/keyroster-agent/revoked-keys.krl",
        "keyroster_revoked_keys_t",
    ),
    ("/run/keyroster/agent.sock", "keyroster_agent_runtime_t"),
    (
        "/run/keyroster-sessions/records/1",
        "keyroster_sessions_runtime_t",
    ),
    ("/etc/keyroster/lookup.conf", "etc_t"),
    ("/etc/keyroster/break-glass/deploy", "etc_t"),
];

/// A policy that has a domain of its own for what serves a connection, in as few lines as it takes.
const SESSION_DOMAIN: &str = "policy_module(sessiondomain, 1.0)\n\
    type sshd_session_t;\ntype sshd_session_exec_t;\n\
    domain_type(sshd_session_t)\ndomain_entry_file(sshd_session_t, sshd_session_exec_t)\n";

/// One test for everything, because to link a policy takes a while.
#[test]
fn linked_into_debians_policy_the_module_allows_what_logins_need_and_nothing_of_the_rest() {
    let policy = Policy::link().unwrap();
    assert_allowed(&policy, &ALLOWED);
    assert_refused(&policy, &REFUSED);
    for (path, label) in LABELS {
        assert_eq!(policy.label(path).unwrap(), label, "{path}");
    }
    // What is made beside sshd's file is of its type from the start: it is put in place, and keeps it.
    let named = policy.rules(&[NAMED]).unwrap();
    assert!(
        named[0].len() == 1
            && named[0][0].contains("keyroster_revoked_keys_t .revoked-keys.krl.new"),
        "{named:?}"
    );
    policy.add("sessiondomain", SESSION_DOMAIN).unwrap();
    let of_session: Vec<String> = ALLOWED[..9]
        .iter()
        .map(|question| question.replace("sshd_t", "sshd_session_t"))
        .collect();
    let of_session: Vec<&str> = of_session.iter().map(String::as_str).collect();
    assert_allowed(&policy, &of_session);
    assert_refused(
        &policy,
        &["allow sshd_session_t keyroster_agent_var_lib_t file *"],
    );
}

#[track_caller]
fn assert_allowed(policy: &Policy, questions: &[&str]) {
    let answers = policy.rules(questions).unwrap();
    for (question, answer) in questions.iter().zip(answers) {
        assert!(!answer.is_empty(), "no rule for {question}");
    }
}

#[track_caller]
fn assert_refused(policy: &Policy, questions: &[&str]) {
    let answers = policy.rules(questions).unwrap();
    for (question, answer) in questions.iter().zip(answers) {
        assert_eq!(answer, [""; 0], "{question}");
    }
}

const NAMED: &str = "type_transition keyroster_agent_t keyroster_agent_var_lib_t file";
