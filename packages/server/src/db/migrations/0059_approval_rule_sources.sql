-- By whose wish an approval is decided as it is: the policies that refused what it is asked for, and whether the agent's code gave a rule of its own.
alter table approvals add rule_from json;
