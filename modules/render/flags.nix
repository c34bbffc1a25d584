# { v = 2; authorization-mode = [ "Node" "RBAC" ]; } -> [ "--authorization-mode=Node,RBAC" "--v=2" ]
#
# Always --name=value: `--name value` would make a boolean's value a word of its
# own. null leaves a flag out, so that a module can drop one that the plan set.
let
  value =
    name: given:
    if builtins.isBool given then
      (if given then "true" else "false")
    else if builtins.isInt given then
      toString given
    else if builtins.isString given then
      given
    else if builtins.isList given then
      builtins.concatStringsSep "," (map (value name) given)
    else if builtins.isAttrs given then
      builtins.concatStringsSep "," (
        map (key: "${key}=${value name given.${key}}") (builtins.attrNames given)
      )
    else
      throw "hardway: flag --${name} can't be a value of type ${builtins.typeOf given}";
in
flags:
map (name: "--${name}=${value name flags.${name}}") (
  builtins.filter (name: flags.${name} != null) (builtins.attrNames flags)
)
