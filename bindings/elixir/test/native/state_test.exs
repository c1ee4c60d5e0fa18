defmodule SnakepitBridge.Native.StateTest do
  # Sessions and variables, each verb on both kinds of schedulers, and what the library says about
  # itself.
  use SnakepitBridge.NativeCase

  setup do
    {:ok, session: session()}
  end

  for suffix <- ["", "_io"] do
    test "each verb of variables#{suffix}", %{session: session} do
      verb = fn name, arguments ->
        apply(Native, :"variable_#{name}#{unquote(suffix)}", [session | arguments])
      end

      options = %{name: "n", type: "integer", constraints: ~s({"max":9}), metadata: ~s({"a":1})}
      assert verb.("register", [options, value(1)]) == {:ok, 1}
      assert verb.("get", ["n"]) == {:ok, {:term, 1}, 1}
      assert verb.("set", ["n", value(2), %{expected_version: 1}]) == {:ok, 2}

      assert {:error, %Error{status: :version_conflict}} =
               verb.("set", ["n", value(3), %{expected_version: 1}])

      assert {:error, %Error{status: :constraint}} = verb.("set", ["n", value(10), %{}])
      assert verb.("update", ["n", value(%{add: 3}), %{}]) == {:ok, {:term, 5}, 3}
      assert verb.("rollback", ["n", 1, %{}]) == {:ok, 4}
      assert {:ok, {:term, history}} = verb.("history", ["n"])
      assert Enum.map(history, & &1["value"]) == [1, 2, 5, 1]
      assert verb.("lock", ["n", "me", 60_000]) == :ok
      assert {:error, %Error{status: :busy}} = verb.("set", ["n", value(1), %{}])
      assert {:ok, 5} = verb.("set", ["n", value(6), %{owner: "me"}])
      assert verb.("unlock", ["n", "me"]) == :ok
      assert {:ok, {:term, [%{"name" => "n"}]}} = verb.("list", [%{pattern: "n*", limit: 5}])
      assert {:ok, {:term, %{"missing" => ["m"]}}} = verb.("get_many", [["n", "m"]])

      assert {:ok, {:term, [%{"version" => 6}]}} = verb.("set_many", [[{"n", value(7), 5}], ""])

      assert {:error, %Error{status: :not_found}} = verb.("get", ["m"])
      assert {:error, %Error{status: :invalid_argument}} = verb.("get", [<<255>>])
      assert verb.("delete", ["n", %{expected_version: 6}]) == :ok
    end
  end

  test "sessions are opened, found, described, copied and closed", %{session: session} do
    id = "session-#{System.unique_integer([:positive])}"
    options = %{id: id, metadata: ~s({"who":"me"}), ttl: :infinity, affinity: :hint}
    {:ok, opened} = Native.session_open(platform(), options)
    assert {:ok, %{"id" => ^id, "metadata" => %{"who" => "me"}}} = Native.session_info(opened)
    assert {:error, %Error{status: :already_exists}} = Native.session_open(platform(), options)
    assert {:ok, joined} = Native.session_join(platform(), id)
    assert Native.session_touch(joined) == :ok
    {:ok, list} = Native.session_list(platform(), %{limit: 1_000})
    assert id in Enum.map(list, & &1["id"])

    {:ok, 1} = Native.variable_register(opened, %{name: "x", type: "json"}, value([1]))
    {:ok, copy} = Native.session_clone(opened, %{})
    assert Native.variable_get(copy, "x") == {:ok, {:term, [1]}, 1}

    path = Path.join(System.tmp_dir!(), "#{id}.zip")
    assert Native.session_export(opened, path) == :ok
    {:ok, imported} = Native.session_import(platform(), path, %{id: id <> "-file"})
    assert Native.variable_get(imported, "x") == {:ok, {:term, [1]}, 1}
    File.rm!(path)

    {:ok, archive} = Native.session_export_value(opened)
    {:ok, again} = Native.session_import_value(platform(), archive, %{id: id <> "-value"})
    assert Native.variable_get(again, "x") == {:ok, {:term, [1]}, 1}

    assert {:done, {:ok, _}} = done(&Native.session_close(opened, &1, &2))
    assert {:error, %Error{status: :closed}} = Native.session_info(joined)
    assert {:error, %Error{status: :not_found}} = Native.session_join(platform(), id)
    assert {:ok, _} = Native.session_info(session)
  end

  test "platforms and pools say how they are" do
    platform = platform()
    assert {:ok, %{"live" => true, "ready" => true}} = Native.platform_health(platform)
    assert {:ok, metrics} = Native.platform_metrics(platform)
    assert metrics =~ "# TYPE"
    assert {:ok, %{}} = Native.platform_schema(platform, "python")
    assert {:ok, %{}} = Native.platform_describe(platform)
    assert {:ok, %{}} = Native.pool_stats(platform, "default")
    assert {:ok, %{}} = Native.pool_schema(platform, "", "python")
    assert {:error, %Error{status: :not_found}} = Native.pool_stats(platform, "nope")
  end

  test "a pool is resized and drained" do
    platform = open_platform(%{})
    {:done, {:ok, _}} = done(&Native.pool_await_ready(platform, "", 1, :infinity, &1, &2))
    assert {:done, {:ok, _}} = done(&Native.pool_drain(platform, "", 1_000, &1, &2))
    assert Native.pool_resize(platform, "", 1, 1) == :ok
    assert {:done, {:ok, _}} = done(&Native.pool_await_ready(platform, "", 1, 60_000, &1, &2))
    assert {:error, %Error{}} = Native.pool_resize(platform, "", 5, 2)
    {:done, {:ok, _}} = done(&Native.platform_shutdown(platform, 1, &1, &2))
  end

  test "every function of the module is in the library" do
    assert Native.version() =~ ~r/^\d+\.\d+\.\d+$/
    assert Native.config_schema() =~ "\"pools\""

    for {name, arity} <- Native.__info__(:functions), name not in [:load] do
      arguments = List.duplicate(:wrong, arity)

      # A function that the library lacks raises ErlangError instead.
      try do
        apply(Native, name, arguments)
      rescue
        ArgumentError -> :is_there
      end
    end
  end

  @tag :capture_log
  test "recompiling leaves the loaded library usable" do
    module = Path.join(root(), "bindings/elixir/lib/snakepit_bridge/native.ex")

    told =
      ExUnit.CaptureIO.capture_io(:stderr, fn ->
        # The new code is refused: a loaded library is never replaced in a running system.
        try do
          Code.compile_file(module)
        rescue
          _ -> :refused
        end
      end)

    assert told =~ "redefining module"
    assert {:ok, _} = Native.value_encode(1)
    assert {:error, {:reload, _}} = Native.load()
  end
end
