select tea_id, deliveries.grams as delivered_grams, stock_counts.grams as counted_grams
from {{ source('warehouse', 'deliveries') }} as deliveries
left join {{ source('warehouse', 'stock_counts') }} as stock_counts using (tea_id)
