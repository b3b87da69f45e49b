{# What another tool loads before dbt runs: the tables behind the sources, of a given age. #}
{% macro load_sources(receipts_age, deliveries_age, stock_counts_age) %}
  {% do run_query("create schema if not exists till") %}
  {% do run_query("create schema if not exists warehouse") %}
  {% set now = "cast(now() at time zone 'UTC' as timestamp)" %}
  {% do run_query(
    "create or replace table till.receipts as select order_id, paid, "
    ~ now ~ " - interval '" ~ receipts_age ~ "' as loaded_at from (values "
    ~ "(1001, 14.50), (1002, 12.80), (1003, 9.90), (1004, 7.20), (1005, 14.70), "
    ~ "(1006, 6.40), (1007, 7.25), (1008, 18.00), (1009, 19.80), (1010, 4.90)) as paid_orders(order_id, paid)"
  ) %}
  {% do run_query(
    "create or replace table warehouse.deliveries as select * , "
    ~ now ~ " - interval '" ~ deliveries_age ~ "' as loaded_at from (values "
    ~ "(1, 5000), (2, 12000), (3, 8000), (4, 2500), (5, 9000)) as delivered(tea_id, grams)"
  ) %}
  {% do run_query(
    "create or replace table warehouse.stock_counts as select * , "
    ~ now ~ " - interval '" ~ stock_counts_age ~ "' as loaded_at from (values "
    ~ "(1, 4650), (2, 11650), (3, 7700), (4, 2350), (5, 8600)) as counted(tea_id, grams)"
  ) %}
  {% do run_query(
    "create or replace table warehouse.suppliers as select * from (values "
    ~ "(1, 'Hangzhou Leaf'), (2, 'Brahmaputra Estates'), (3, 'Pekoe Lanka')) as known(supplier_id, supplier_name)"
  ) %}
{% endmacro %}
